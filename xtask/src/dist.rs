//! `cargo xtask dist`: what an operator installs without a compiler, in one archive.
//!
//! The archive holds the stripped programs, manual pages, completions, sample configurations, a Debian package of all
//! that, and the checksums of everything. Its name says for what machine it is.
use crate::{SERVICE, cargo, release_build, run, status, target_dir};
use anyhow::{Context as _, ensure};
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

const PROGRAMS: [&str; 4] = ["icn-node", "icn-cli", "icn-clear", SERVICE];
/// Those that write a manual page for each of their commands.
const WITH_MANUALS: [&str; 3] = ["icn-node", "icn-cli", SERVICE];
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Shells with the places where their completions are looked for.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "share/bash-completion/completions/icn-cli"),
    ("zsh", "share/zsh/vendor-completions/_icn-cli"),
    ("fish", "share/fish/vendor_completions.d/icn-cli.fish"),
];
/// Puts systemd's units, what they run, and the configuration that they start with where they belong.
const UNITS: &str = "deploy/systemd/install.sh";
/// What Debian runs around the package, and which of its files are an operator's.
const DEBIAN: &str = "deploy/debian";
/// Papers that come along, with where they go.
const PAPERS: [(&str, &str); 3] = [
    ("LICENSE", "share/doc/icn/LICENSE"),
    ("README.md", "share/doc/icn/README.md"),
    ("CHANGELOG.md", "share/doc/icn/CHANGELOG.md"),
];
/// What Prometheus, Alertmanager and Grafana are started with, and where it goes.
const MONITORING: [&str; 2] = ["deploy/monitoring", "share/doc/icn/monitoring"];
/// A folder of this name goes along empty: what an operator has put there is nobody else's.
const SECRETS: &str = "secrets";

/// Builds the archive and says where it is.
pub(crate) fn dist() -> anyhow::Result<()> {
    release_build()?;
    // By itself: its libraries have other features than a node's.
    cargo(&["build", "--release", "--package", SERVICE])?;
    let machine = output(Command::new("rustc").args(["--print", "host-tuple"]))?;
    let name = format!("icn-{VERSION}-{}", machine.trim());
    let dist = target_dir().join("dist");
    let root = dist.join(&name);
    if root.exists() {
        fs::remove_dir_all(&root).with_context(|| format!("cannot remove {}", root.display()))?;
    }
    lay_out(&root)?;
    let package = debian(&dist, &root)?;
    fs::rename(
        &package,
        root.join(package.file_name().context("a package has a name")?),
    )?;
    checksums(&root)?;

    let archive = dist.join(format!("{name}.tar.gz"));
    // The same content gives the same bytes, whoever packs it and when.
    let mut tar = Command::new("tar");
    tar.args([
        "--sort=name",
        "--owner=0",
        "--group=0",
        "--numeric-owner",
        "--mtime=@0",
    ]);
    tar.args(["--use-compress-program=gzip -n", "-cf"]).arg(&archive);
    status(tar.arg("-C").arg(&dist).arg(&name))?;
    let sum = output(Command::new("sha256sum").arg(&archive))?;
    print!("{sum}");
    Ok(())
}

/// Puts everything where it is below a prefix such as /usr.
fn lay_out(root: &Path) -> anyhow::Result<()> {
    let built = target_dir().join("release");
    for program in PROGRAMS {
        let to = place(root, &format!("bin/{program}"))?;
        let mut strip = Command::new("strip");
        status(strip.arg("-o").arg(&to).arg(built.join(program)))?;
        fs::set_permissions(&to, fs::Permissions::from_mode(0o755))?;
    }
    let manual = root.join("share/man/man1");
    fs::create_dir_all(&manual)?;
    let cli = root.join("bin/icn-cli");
    for program in WITH_MANUALS {
        let program = root.join("bin").join(program);
        status(Command::new(program).arg("man").arg(&manual))?;
    }
    for (shell, path) in COMPLETIONS {
        let script = output(Command::new(&cli).args(["completions", shell]))?;
        fs::write(place(root, path)?, script)?;
    }
    for (from, to) in PAPERS {
        fs::copy(from, place(root, to)?).with_context(|| format!("cannot copy {from}"))?;
    }
    for sample in fs::read_dir("configs")? {
        let sample = sample?;
        let name = sample.file_name();
        let to = format!("share/doc/icn/configs/{}", name.to_string_lossy());
        fs::copy(sample.path(), place(root, &to)?)?;
    }
    let [from, to] = MONITORING;
    copy_all(Path::new(from), &root.join(to))?;
    // Where /etc is nobody's prefix, the configuration is a sample like the others.
    let mut units = Command::new("sh");
    units.arg(UNITS).env("DESTDIR", root).env("PREFIX", "");
    status(units.env("ETC", "/share/doc/icn/etc"))
}

/// Packs the same for Debian, below /usr.
fn debian(dist: &Path, root: &Path) -> anyhow::Result<PathBuf> {
    let architecture = output(Command::new("dpkg").arg("--print-architecture"))
        .context("dpkg is missing: the package is made on Debian or what comes from it")?;
    let architecture = architecture.trim();
    let staged = dist.join("deb");
    if staged.exists() {
        fs::remove_dir_all(&staged)?;
    }
    fs::create_dir_all(staged.join("DEBIAN"))?;
    status(Command::new("cp").arg("-a").arg(root).arg(staged.join("usr")))?;
    let mut units = Command::new("sh");
    status(units.arg(UNITS).env("DESTDIR", &staged))?;
    for file in fs::read_dir(DEBIAN)? {
        let file = file?;
        fs::copy(file.path(), staged.join("DEBIAN").join(file.file_name()))?;
    }
    let libraries = needs(root)?;
    let control = format!(
        "Package: icn\nVersion: {VERSION}\nArchitecture: {architecture}\nMaintainer: The ICN developers\n\
         Depends: {libraries}, systemd\nRecommends: logrotate\nSection: net\nPriority: optional\n\
         Description: node and command line of a federation of cooperatives\n \
         Each cooperative runs one node. Together the nodes keep one Byzantine-fault-tolerant log of who is a\n \
         member, what work was asked for and done, and what it cost.\n"
    );
    fs::write(staged.join("DEBIAN/control"), control)?;
    let package = dist.join(format!("icn_{VERSION}_{architecture}.deb"));
    let mut build = Command::new("dpkg-deb");
    build.args(["--root-owner-group", "--build"]);
    status(build.arg(&staged).arg(&package))?;
    fs::remove_dir_all(&staged)?;
    Ok(package)
}

/// The C library that the programs were linked with: an older one may lack what they call.
fn needs(root: &Path) -> anyhow::Result<String> {
    let symbols = output(Command::new("objdump").arg("-T").arg(root.join("bin/icn-node")))?;
    let versions = symbols.split("GLIBC_").skip(1).filter_map(|rest| {
        let version = rest.split(|c: char| !c.is_ascii_digit() && c != '.').next()?;
        let mut numbers = version.split('.').map(str::parse::<u32>);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    });
    let (major, minor) = versions
        .max()
        .context("icn-node is linked with no GNU C library")?;
    Ok(format!("libc6 (>= {major}.{minor}), libgcc-s1"))
}

/// Writes SHA256SUMS over every file, as `sha256sum --check` reads it.
fn checksums(root: &Path) -> anyhow::Result<()> {
    let list =
        "find . -type f ! -name SHA256SUMS -print0 | LC_ALL=C sort -z | xargs -0 sha256sum > SHA256SUMS";
    let mut shell = Command::new("sh");
    status(shell.args(["-c", list]).current_dir(root))?;
    run(
        "sh",
        &[
            "-c",
            &format!("cd '{}' && sha256sum --quiet --check SHA256SUMS", root.display()),
        ],
    )
}

/// Copies a folder with everything below it but secrets.
fn copy_all(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for file in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let file = file?;
        let to = to.join(file.file_name());
        if file.file_name() == SECRETS {
            fs::create_dir_all(to)?;
        } else if file.file_type()?.is_dir() {
            copy_all(&file.path(), &to)?;
        } else {
            fs::copy(file.path(), to).with_context(|| format!("cannot copy {}", file.path().display()))?;
        }
    }
    Ok(())
}

/// The place of a file below `root`, with its directory made.
fn place(root: &Path, path: &str) -> anyhow::Result<PathBuf> {
    let path = root.join(path);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    }
    Ok(path)
}

fn output(command: &mut Command) -> anyhow::Result<String> {
    let shown = format!("{command:?}").replace('"', "");
    let output = command
        .output()
        .with_context(|| format!("cannot start {shown}"))?;
    ensure!(
        output.status.success(),
        "{shown} failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}
