//! Several hosts on one machine: each node in a network namespace of its own, with a link to the others and one to
//! whoever watches, so that a node that is cut off from its peers can still be asked.
//!
//! A bridge for each group of nodes that hear each other; a cut moves links between them. Needs iproute2, and root or user
//! namespaces; losing packets needs nftables as well. Delays and bandwidths are not made here: what the kernel has for them
//! (netem) is missing on many machines.
use anyhow::Context as _;
use std::{
    env,
    ffi::OsString,
    fmt::Write as _,
    io::Write as _,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, Stdio},
};

/// Says that this process is in namespaces of its own already.
const INSIDE: &str = "ICN_DEVNET_INSIDE";
/// The bridge between nodes and whoever watches.
const CONTROL: &str = "icnctl";
/// Prefix of the bridges between nodes; the first one joins all of them while nothing is cut.
const PEERS: &str = "icnpeers";
/// The node's ends of its two links.
const CONTROL_LINK: &str = "ctl0";
const PEER_LINK: &str = "eth0";
/// Networks of the two links; nodes are numbered from 1.
const CONTROL_NET: &str = "10.78.0";
const PEER_NET: &str = "10.77.0";
const WATCHER: u8 = 254;
/// What drops packets within a node's namespace.
const LOSS_TABLE: &str = "icnloss";

/// The hosts of a devnet's nodes, by their names.
#[derive(Clone, Debug)]
pub(super) struct Hosts {
    names: Vec<String>,
}

/// Goes on in network and mount namespaces that end with this process, with user namespaces where it is not root. Does
/// nothing if that has happened already.
///
/// # Errors
/// If they cannot be had; otherwise this process begins anew in them.
pub(super) fn go_inside() -> anyhow::Result<()> {
    if env::var_os(INSIDE).is_some() {
        // What keeps names of namespaces is this run's own as well.
        run("mount", &["-t", "tmpfs", "tmpfs", "/run"], "")?;
        return ip("link set lo up\n");
    }
    check()?;
    let mut unshare = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        unshare.args(["--user", "--map-root-user"]);
    }
    unshare.args(["--net", "--mount"]);
    let mut probe = Command::new(unshare.get_program());
    probe.args(unshare.get_args()).arg("true");
    let probed = probe.output().context("unshare is missing: install util-linux")?;
    anyhow::ensure!(
        probed.status.success(),
        "nodes cannot have hosts of their own here ({}): run this as root, allow user namespaces, or choose --network-mode \
         local",
        String::from_utf8_lossy(&probed.stderr).trim()
    );
    let program = env::current_exe().context("this program's own file is unknown")?;
    let error = unshare
        .arg("--")
        .arg(program)
        .args(env::args_os().skip(1))
        .env(INSIDE, "1")
        .exec();
    Err(error).context("cannot start unshare")
}

/// Whether the programs are there that make hosts.
fn check() -> anyhow::Result<()> {
    let version = Command::new("ip").arg("-V").output();
    version
        .map(drop)
        .context("ip is missing, which gives nodes hosts of their own: install iproute2")
}

/// Whether the program is there that loses packets.
pub(super) fn check_loss() -> anyhow::Result<()> {
    let version = Command::new("nft").arg("-v").output();
    version
        .map(drop)
        .context("nft is missing, which loses packets: install nftables")
}

/// Takes away what is mounted on a directory, in this run's mount namespace.
pub(super) fn unmount(directory: &Path) -> anyhow::Result<()> {
    run("umount", &[&directory.to_string_lossy()], "")
}

/// Where a node's HTTP interface listens, and its metrics.
pub(super) fn control_address(at: usize) -> String {
    format!("{CONTROL_NET}.{}", at + 1)
}

/// Where other nodes reach it.
pub(super) fn peer_address(at: usize) -> String {
    format!("{PEER_NET}.{}", at + 1)
}

impl Hosts {
    pub(super) fn new<'a>(nodes: impl IntoIterator<Item = &'a str>) -> Self {
        let names = nodes.into_iter().map(|name| format!("icn-{name}"));
        Self {
            names: names.collect(),
        }
    }

    /// Fails if hosts or links with these names are there: they are another devnet's.
    pub(super) fn check_free(&self) -> anyhow::Result<()> {
        check()?;
        let mut taken = self.there();
        let links = output("ip", &["-o", "link", "show"]).unwrap_or_default();
        taken.extend(links_of(&links));
        anyhow::ensure!(
            taken.is_empty(),
            "another devnet has hosts on this machine ({}), and only one can: end it (icn-cli devnet down --dir ITS_DIRECTORY), \
             choose --network-mode local, or, if its directory is gone, remove them (ip netns del NAME, ip link del NAME)",
            taken.join(", ")
        );
        Ok(())
    }

    /// Those namespaces that are there.
    fn there(&self) -> Vec<String> {
        let list = output("ip", &["netns", "list"]).unwrap_or_default();
        let names: Vec<_> = list
            .lines()
            .filter_map(|line| line.split_whitespace().next())
            .collect();
        let is_there = |name: &&String| names.contains(&name.as_str());
        self.names.iter().filter(is_there).cloned().collect()
    }

    /// Makes the hosts, unless all are there: they go with a restart of the machine, a devnet's data does not. What is there
    /// has to be this devnet's own. Says whether it made any.
    pub(super) fn set_up(&self) -> anyhow::Result<bool> {
        check()?;
        if self.there().len() == self.names.len() {
            return Ok(false);
        }
        // What is left of them is in the way.
        self.tear_down();
        if let Err(error) = self.make() {
            // Some may have been made.
            self.tear_down();
            return Err(error);
        }
        Ok(true)
    }

    fn make(&self) -> anyhow::Result<()> {
        let mut lines = format!(
            "link add {CONTROL} type bridge\nlink set {CONTROL} up\naddr add {CONTROL_NET}.{WATCHER}/24 dev {CONTROL}\n\
             link add {PEERS}0 type bridge\nlink set {PEERS}0 up\n"
        );
        for (at, name) in self.names.iter().enumerate() {
            let _ = write!(
                lines,
                "netns add {name}\n\
                 link add icnc-{at} type veth peer name {CONTROL_LINK} netns {name}\n\
                 link set icnc-{at} master {CONTROL} up\n\
                 link add icnp-{at} type veth peer name {PEER_LINK} netns {name}\n\
                 link set icnp-{at} master {PEERS}0 up\n"
            );
        }
        ip(&lines)
            .context("cannot make hosts for the nodes: run this as root, or choose --network-mode local")?;
        for (at, name) in self.names.iter().enumerate() {
            let lines = format!(
                "addr add {}/24 dev {CONTROL_LINK}\naddr add {}/24 dev {PEER_LINK}\n\
                 link set {CONTROL_LINK} up\nlink set {PEER_LINK} up\nlink set lo up\n",
                control_address(at),
                peer_address(at)
            );
            run("ip", &["-n", name, "-batch", "-"], &lines)?;
        }
        Ok(())
    }

    /// Removes them. What is not there needs no removing.
    pub(super) fn tear_down(&self) {
        for (at, name) in self.names.iter().enumerate() {
            // First, since a namespace takes its links along when it gets to it, which may be after this has returned.
            let _ = run("ip", &["link", "del", &format!("icnc-{at}")], "");
            let _ = run("ip", &["link", "del", &format!("icnp-{at}")], "");
            let _ = run("ip", &["netns", "del", name], "");
        }
        for group in 0..self.names.len() {
            if run("ip", &["link", "del", &format!("{PEERS}{group}")], "").is_err() {
                break;
            }
        }
        let _ = run("ip", &["link", "del", CONTROL], "");
    }

    /// What starts a program on a node's host.
    pub(super) fn enter(&self, at: usize) -> Vec<OsString> {
        ["ip", "netns", "exec", &self.names[at]]
            .map(OsString::from)
            .into()
    }

    /// Lets those hear each other that have the same number, and nobody else.
    pub(super) fn group(&self, groups: &[usize]) -> anyhow::Result<()> {
        for group in 1..=groups.iter().copied().max().unwrap_or_default() {
            let bridge = format!("{PEERS}{group}");
            if run("ip", &["link", "show", &bridge], "").is_err() {
                ip(&format!("link add {bridge} type bridge\nlink set {bridge} up\n"))?;
            }
        }
        let mut lines = String::new();
        for (at, group) in groups.iter().enumerate() {
            let _ = writeln!(lines, "link set icnp-{at} master {PEERS}{group}");
        }
        ip(&lines)
    }

    /// Drops so many of a hundred packets that arrive from peers at each node; none at 0.
    pub(super) fn lose(&self, percent: u32) -> anyhow::Result<()> {
        let rules = loss_rules(percent);
        self.names
            .iter()
            .try_for_each(|name| run("ip", &["netns", "exec", name, "nft", "-f", "-"], &rules))
    }
}

/// For nft: the old rules go, new ones come if any packet is to be dropped.
fn loss_rules(percent: u32) -> String {
    let mut rules = format!("table inet {LOSS_TABLE}\ndelete table inet {LOSS_TABLE}\n");
    if percent > 0 {
        let _ = write!(
            rules,
            "add table inet {LOSS_TABLE}\n\
             add chain inet {LOSS_TABLE} arriving {{ type filter hook input priority 0; }}\n\
             add rule inet {LOSS_TABLE} arriving iifname {PEER_LINK} numgen random mod 100 < {percent} drop\n"
        );
    }
    rules
}

/// Those links of a list by `ip -o link` that a devnet makes.
fn links_of(list: &str) -> Vec<String> {
    let name = |line: &str| {
        let name = line.split_whitespace().nth(1)?.trim_end_matches(':');
        // The other end of a pair is named behind it.
        Some(name.split('@').next()?.to_owned())
    };
    let is_ours = |name: &String| {
        let is_numbered = |prefix: &str| {
            let number = name.strip_prefix(prefix);
            number.is_some_and(|number| number.parse::<usize>().is_ok())
        };
        name == CONTROL || [PEERS, "icnc-", "icnp-"].into_iter().any(is_numbered)
    };
    list.lines().filter_map(name).filter(is_ours).collect()
}

fn ip(lines: &str) -> anyhow::Result<()> {
    run("ip", &["-batch", "-"], lines)
}

fn output(program: &str, args: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program).args(args).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a program with `input`; its last words are the error.
fn run(program: &str, args: &[&str], input: &str) -> anyhow::Result<()> {
    let start = || format!("cannot start {program}");
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(start)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ends before it has read everything says why itself.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().with_context(start)?;
    anyhow::ensure!(
        output.status.success(),
        "{program} {}: {}",
        args.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_have_two_addresses_and_a_way_in() {
        assert_eq!(control_address(0), "10.78.0.1");
        assert_eq!(peer_address(15), "10.77.0.16");
        let hosts = Hosts::new(["bakery", "dairy"]);
        assert_eq!(hosts.enter(1), ["ip", "netns", "exec", "icn-dairy"]);
        // Names of links have at most 15 bytes.
        assert!(format!("{PEERS}{}", 16).len() <= 15 && format!("icnc-{}", 16).len() <= 15);
    }

    #[test]
    fn links_of_a_devnet_are_known_by_their_names() {
        let list = "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN\n\
                    2: icnctl: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP\n\
                    3: icnpeers0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP\n\
                    5: icnc-0@if4: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue master icnctl\n\
                    6: icnpeers: <BROADCAST> mtu 1500\n7: eth0@if9: <BROADCAST,MULTICAST,UP> mtu 1500\n";
        assert_eq!(links_of(list), ["icnctl", "icnpeers0", "icnc-0"]);
        assert!(links_of("").is_empty());
    }

    #[test]
    fn packets_of_peers_alone_are_dropped() {
        assert_eq!(loss_rules(0).lines().count(), 2);
        let rules = loss_rules(20);
        assert!(
            rules.contains("iifname eth0 numgen random mod 100 < 20 drop\n"),
            "{rules}"
        );
    }

    #[test]
    fn what_fails_says_why() {
        let error = run("sh", &["-c", "echo no room >&2; exit 3"], "")
            .unwrap_err()
            .to_string();
        assert!(error.contains("no room"), "{error}");
        assert!(run("sh", &["-c", "read line && test \"$line\" = heard"], "heard\n").is_ok());
    }
}
