//! The process's log: which lines, in which form, where to. Its level can change while the process runs.
use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use std::{
    fs::{File, OpenOptions},
    io::{self, IsTerminal as _, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};
use tracing_subscriber::{
    EnvFilter,
    filter::LevelFilter,
    fmt::{MakeWriter, writer::BoxMakeWriter},
    reload,
};

/// `[logging]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Logging {
    /// Least level, or directives like `info,icn_serve=debug`. Default: info.
    pub level: String,
    /// Lines for people or for machines. Default: text.
    pub format: LogFormat,
    /// Where the lines go: stderr, stdout, or the path of a file, which is opened anew on SIGHUP. Default: stderr.
    pub output: LogOutput,
}

impl Default for Logging {
    fn default() -> Self {
        Self {
            level: "info".into(),
            format: LogFormat::Text,
            output: LogOutput::Stderr,
        }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Where log lines go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum LogOutput {
    /// The standard error.
    Stderr,
    /// The standard output, after what the server says at its start.
    Stdout,
    /// A file, which lines are added to.
    File(PathBuf),
}

impl From<String> for LogOutput {
    fn from(text: String) -> Self {
        match text.as_str() {
            "stderr" => Self::Stderr,
            "stdout" => Self::Stdout,
            _ => Self::File(text.into()),
        }
    }
}

impl From<LogOutput> for String {
    fn from(output: LogOutput) -> Self {
        match output {
            LogOutput::Stderr => "stderr".into(),
            LogOutput::Stdout => "stdout".into(),
            LogOutput::File(path) => path.to_string_lossy().into_owned(),
        }
    }
}

/// Which crates a plain level is for; the libraries beneath speak up from warnings on.
#[derive(Clone, Copy, Debug)]
pub struct Own {
    /// Names of the server's own crates.
    pub crates: &'static [&'static str],
    /// Directives about libraries that warn of what is normal to the server.
    pub quiet: &'static [&'static str],
}

impl Own {
    /// Which lines a level lets through.
    ///
    /// # Errors
    /// If `level` is neither a level nor a list of directives.
    pub fn filter(&self, level: &str) -> Result<EnvFilter, String> {
        let plain = !level.contains(['=', ',']);
        // An empty word would be a level, and another one the name of a crate, of which there are lines of all levels.
        if plain && (level.is_empty() || level.parse::<LevelFilter>().is_err()) {
            return Err(
                "neither error, warn, info, debug, trace, off nor directives such as info,icn_serve=debug"
                    .into(),
            );
        }
        if !plain {
            return EnvFilter::try_new(level).map_err(|error| error.to_string());
        }
        let mut directives = String::from("warn");
        for quiet in self.quiet {
            directives.push(',');
            directives.push_str(quiet);
        }
        for name in self.crates {
            directives.push_str(&format!(",{name}={level}"));
        }
        EnvFilter::try_new(directives).map_err(|error| error.to_string())
    }
}

/// The log of a process. Cheap to clone.
#[derive(Clone)]
pub struct Log {
    own: Own,
    set: Arc<dyn Fn(EnvFilter) -> Result<(), reload::Error> + Send + Sync>,
    file: Option<LogFile>,
}

impl Log {
    /// Of a process that writes its log in its own way: the configuration's level says nothing there.
    pub fn elsewhere() -> Self {
        Self {
            own: Own {
                crates: &[],
                quiet: &[],
            },
            set: Arc::new(|_| Ok(())),
            file: None,
        }
    }

    /// Starts the log of this process, whose crates are `own`, once.
    ///
    /// # Errors
    /// If the file cannot be written, or there is a log already.
    pub fn start(config: &Logging, own: Own) -> anyhow::Result<Self> {
        let filter = own
            .filter(&config.level)
            .map_err(anyhow::Error::msg)
            .context("logging.level")?;
        let mut file = None;
        let (writer, ansi) = match &config.output {
            LogOutput::Stderr => (BoxMakeWriter::new(io::stderr), io::stderr().is_terminal()),
            LogOutput::Stdout => (BoxMakeWriter::new(io::stdout), io::stdout().is_terminal()),
            LogOutput::File(path) => {
                let opened = file.insert(LogFile::open(path)?);
                (BoxMakeWriter::new(opened.clone()), false)
            }
        };
        let lines = tracing_subscriber::fmt().with_writer(writer).with_ansi(ansi);
        let started = "there is a log already";
        // The two forms are two types.
        let set: Arc<dyn Fn(EnvFilter) -> Result<(), reload::Error> + Send + Sync> = match config.format {
            LogFormat::Text => {
                let lines = lines.with_env_filter(filter).with_filter_reloading();
                let handle = lines.reload_handle();
                lines
                    .try_init()
                    .map_err(anyhow::Error::from_boxed)
                    .context(started)?;
                Arc::new(move |filter| handle.reload(filter))
            }
            LogFormat::Json => {
                let lines = lines.json().with_env_filter(filter).with_filter_reloading();
                let handle = lines.reload_handle();
                lines
                    .try_init()
                    .map_err(anyhow::Error::from_boxed)
                    .context(started)?;
                Arc::new(move |filter| handle.reload(filter))
            }
        };
        Ok(Self { own, set, file })
    }

    /// Changes the level while the process runs; one that is none changes nothing, and is said.
    pub fn set_level(&self, level: &str) {
        let set = self
            .own
            .filter(level)
            .and_then(|filter| (self.set)(filter).map_err(|error| error.to_string()));
        if let Err(error) = set {
            tracing::warn!(error, "the log's level stays as it was");
        }
    }

    /// Opens the log's file anew, as after it was moved away, and says which one.
    ///
    /// # Errors
    /// If it cannot be opened; the lines go where they went before, then.
    pub fn reopen(&self) -> anyhow::Result<String> {
        let Some(file) = &self.file else {
            return Ok("it goes to no file".into());
        };
        file.reopen()?;
        Ok(file.path.display().to_string())
    }
}

/// A file that lines are added to. Cheap to clone.
#[derive(Clone)]
struct LogFile {
    path: PathBuf,
    file: Arc<Mutex<File>>,
}

impl LogFile {
    fn open(path: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            file: Arc::new(Mutex::new(append(path)?)),
        })
    }

    fn reopen(&self) -> anyhow::Result<()> {
        let file = append(&self.path)?;
        *self.file.lock().unwrap_or_else(PoisonError::into_inner) = file;
        Ok(())
    }
}

fn append(path: &Path) -> anyhow::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .with_context(|| format!("cannot write the log to {} (logging.output)", path.display()))
}

impl<'a> MakeWriter<'a> for LogFile {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line(self.file.clone())
    }
}

/// One line on its way into the file.
struct Line(Arc<Mutex<File>>);

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_directives_are_told_from_other_words() {
        let own = Own {
            crates: &["icn_serve"],
            quiet: &["hyper=error"],
        };
        for good in ["info", "DEBUG", "off", "warn,icn_serve=debug", "icn_serve=trace"] {
            assert!(own.filter(good).is_ok(), "{good}");
        }
        for bad in ["loud", "", "a b", "icn_serve=loud"] {
            assert!(own.filter(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_file_that_was_moved_away_is_opened_anew() {
        let dir = tempfile::tempdir().unwrap();
        let (path, moved) = (dir.path().join("node.log"), dir.path().join("node.log.1"));
        let file = LogFile::open(&path).unwrap();
        file.make_writer().write_all(b"before\n").unwrap();
        std::fs::rename(&path, &moved).unwrap();
        file.make_writer().write_all(b"still before\n").unwrap();
        file.reopen().unwrap();
        file.make_writer().write_all(b"after\n").unwrap();
        assert_eq!(std::fs::read_to_string(&moved).unwrap(), "before\nstill before\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "after\n");
    }
}
