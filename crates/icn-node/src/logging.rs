//! The process's log: which lines, in which form, where to. Its level can change while the process runs.
use crate::config::{Config, LogFormat, LogOutput, Logging};
use anyhow::Context as _;
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

/// These warn of what is normal here: that an operation told again was known, and that a node is alone.
const TALKATIVE: &str = "libp2p_gossipsub=error,libp2p_kad=error";
/// Crates of ours, which a plain level is for; the libraries beneath speak up from warnings on.
const OWN: [&str; 6] = [
    "icn_node",
    "icn_runtime",
    "icn_protocol",
    "icn_net",
    "icn_sandbox",
    "icn_store",
];

/// Which lines a level lets through.
///
/// # Errors
/// If `level` is neither a level nor a list of directives.
pub fn filter(level: &str) -> Result<EnvFilter, String> {
    let plain = !level.contains(['=', ',']);
    // An empty word would be a level, and another one the name of a crate, of which there are lines of all levels.
    if plain && (level.is_empty() || level.parse::<LevelFilter>().is_err()) {
        return Err(
            "neither error, warn, info, debug, trace, off nor directives such as info,icn_net=debug".into(),
        );
    }
    let directives = if plain {
        let own: Vec<_> = OWN.iter().map(|name| format!("{name}={level}")).collect();
        format!("warn,{TALKATIVE},{}", own.join(","))
    } else {
        level.to_owned()
    };
    EnvFilter::try_new(directives).map_err(|error| error.to_string())
}

/// The log of a process. Cheap to clone.
#[derive(Clone)]
pub struct Log {
    set: Arc<dyn Fn(EnvFilter) -> Result<(), reload::Error> + Send + Sync>,
    file: Option<LogFile>,
}

impl Log {
    /// Of a process that writes its log in its own way: the configuration's level says nothing there.
    pub fn elsewhere() -> Self {
        Self {
            set: Arc::new(|_| Ok(())),
            file: None,
        }
    }

    /// Starts the log of this process, once.
    ///
    /// # Errors
    /// If the file cannot be written, or there is a log already.
    pub fn start(config: &Logging) -> anyhow::Result<Self> {
        let filter = filter(&config.level)
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
        Ok(Self { set, file })
    }

    /// Takes over what can change of the configuration while the process runs.
    pub fn follow(&self, config: &Config) {
        let set = filter(&config.logging.level)
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
        for good in ["info", "DEBUG", "off", "warn,icn_net=debug", "icn_node=trace"] {
            assert!(filter(good).is_ok(), "{good}");
        }
        for bad in ["loud", "", "a b", "icn_net=loud"] {
            assert!(filter(bad).is_err(), "{bad}");
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
