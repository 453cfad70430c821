//! The process's log: which lines, in which form, where to. Its level can change while the process runs. With a collector,
//! the spans of the same level go there, too.
#[cfg(feature = "otlp")]
mod traces;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use std::{
    fs::{File, OpenOptions},
    io::{self, IsTerminal as _, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};
use tracing_subscriber::{
    EnvFilter, Layer as _, Registry,
    filter::LevelFilter,
    fmt::{self, MakeWriter, writer::BoxMakeWriter},
    layer::SubscriberExt as _,
    reload,
    util::SubscriberInitExt as _,
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
    /// Collector that gets spans by OTLP over HTTP, like `http://127.0.0.1:4318/v1/traces`. Default: none.
    pub otlp_endpoint: Option<String>,
    /// Share of requests whose spans are sent, 0 to 1. Default: 1.
    pub otlp_sample_ratio: f64,
}

impl Default for Logging {
    fn default() -> Self {
        Self {
            level: "info".into(),
            format: LogFormat::Text,
            output: LogOutput::Stderr,
            otlp_endpoint: None,
            otlp_sample_ratio: 1.0,
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
    /// What the server is called where traces are collected.
    pub service: &'static str,
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
    #[cfg(feature = "otlp")]
    traces: Option<opentelemetry_sdk::trace::SdkTracerProvider>,
}

impl Log {
    /// Of a process that writes its log in its own way: the configuration's level says nothing there.
    pub fn elsewhere() -> Self {
        Self {
            own: Own {
                service: "",
                crates: &[],
                quiet: &[],
            },
            set: Arc::new(|_| Ok(())),
            file: None,
            #[cfg(feature = "otlp")]
            traces: None,
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
        let lines = fmt::layer().with_writer(writer).with_ansi(ansi);
        let lines = match config.format {
            LogFormat::Text => lines.boxed(),
            LogFormat::Json => lines.json().boxed(),
        };
        let (filter, handle) = reload::Layer::new(filter);
        let registry = Registry::default().with(lines);
        #[cfg(feature = "otlp")]
        let (registry, traces) = {
            let endpoint = config.otlp_endpoint.as_deref();
            let share = config.otlp_sample_ratio;
            let exported = endpoint.map(|endpoint| traces::layer(endpoint, share, own.service));
            let (layer, provider) = exported.transpose()?.unzip();
            (registry.with(layer), provider)
        };
        #[cfg(not(feature = "otlp"))]
        anyhow::ensure!(
            config.otlp_endpoint.is_none(),
            "logging.otlp_endpoint: this program was built without the feature otlp"
        );
        registry
            .with(filter)
            .try_init()
            .context("there is a log already")?;
        Ok(Self {
            own,
            set: Arc::new(move |filter| handle.reload(filter)),
            file,
            #[cfg(feature = "otlp")]
            traces,
        })
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

    /// Sends what is left of traces, as a process ends.
    pub fn finish(&self) {
        #[cfg(feature = "otlp")]
        if let Some(traces) = &self.traces
            && let Err(error) = traces.shutdown()
        {
            tracing::warn!(%error, "the last traces did not reach the collector");
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
            service: "test",
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
