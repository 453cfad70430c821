//! What a run simulates: its seed, size, length, faults and load.
use crate::names::UnknownName;
use icn_model::{Mana, Millis, Parameters};
use std::{collections::BTreeSet, fmt, str::FromStr, time::Duration};

/// Most nodes of one federation in one process.
pub const MAX_NODES: usize = 64;
/// Longest run: a virtual month.
pub const MAX_SPAN: Duration = Duration::from_secs(31 * 86_400);
/// Shortest run: one fault and its healing fit in.
pub const MIN_SPAN: Duration = Duration::from_secs(30);
/// Runs of at least this length use the parameters of production unless told otherwise.
pub const LONG_SPAN: Duration = Duration::from_secs(2 * 3_600);

/// How long everything is well between troubles, in the mean, unless told otherwise.
const CALM: Duration = Duration::from_secs(10);

/// A kind of trouble that a run can meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Nodes die with everything that they had not synced, and come back; at times all at once.
    Kills,
    /// The network falls apart, or single directions of it fail.
    Partitions,
    /// Messages get lost.
    Loss,
    /// Messages take long, and overtake each other.
    Delay,
    /// A seat runs twice with one key and contradicts itself.
    Equivocation,
    /// Executors lie about what a job put out, or take too long.
    Liars,
    /// A seat gets another key in the middle of everything else.
    Rotations,
}

impl Fault {
    /// Every kind, in order.
    pub const ALL: [Self; 7] = [
        Self::Kills,
        Self::Partitions,
        Self::Loss,
        Self::Delay,
        Self::Equivocation,
        Self::Liars,
        Self::Rotations,
    ];

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kills => "kills",
            Self::Partitions => "partitions",
            Self::Loss => "loss",
            Self::Delay => "delay",
            Self::Equivocation => "equivocation",
            Self::Liars => "liars",
            Self::Rotations => "rotations",
        }
    }
}

/// The kinds of trouble of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(BTreeSet<Fault>);

impl Faults {
    /// None at all.
    pub fn none() -> Self {
        Self::default()
    }

    /// Every kind.
    pub fn all() -> Self {
        Self(Fault::ALL.into_iter().collect())
    }

    /// Whether `fault` is among them.
    pub fn has(&self, fault: Fault) -> bool {
        self.0.contains(&fault)
    }

    /// Each of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = Fault> {
        self.0.iter().copied()
    }
}

impl FromIterator<Fault> for Faults {
    fn from_iter<I: IntoIterator<Item = Fault>>(faults: I) -> Self {
        Self(faults.into_iter().collect())
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (at, fault) in self.0.iter().enumerate() {
            write!(f, "{}{}", if at == 0 { "" } else { "," }, fault.name())?;
        }
        Ok(())
    }
}

impl FromStr for Faults {
    type Err = UnknownName;

    /// Reads `all`, `none`, or names with commas between them.
    fn from_str(text: &str) -> Result<Self, UnknownName> {
        match text {
            "all" => return Ok(Self::all()),
            "none" => return Ok(Self::none()),
            _ => {}
        }
        let one = |name: &str| {
            let names = || ["all", "none"].into_iter().chain(Fault::ALL.map(Fault::name));
            let found = Fault::ALL.into_iter().find(|fault| fault.name() == name);
            found.ok_or_else(|| UnknownName::new("fault", name, names()))
        };
        text.split(',').map(|name| one(name.trim())).collect()
    }
}

/// Everything that decides a run. Equal configurations give equal runs.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where all randomness comes from.
    pub seed: u64,
    /// How many cooperatives, each with a node.
    pub nodes: usize,
    /// Virtual time under load and faults. What is still open then gets some more time to end.
    pub span: Duration,
    /// What goes wrong.
    pub faults: Faults,
    /// How long everything is well between troubles, in the mean.
    pub calm: Duration,
    /// Time between operations of users, of all nodes together, in the mean.
    pub gap: Duration,
    /// The rules of the federation.
    pub parameters: Parameters,
    /// What to break on purpose, to see that it is noticed.
    pub broken: Option<crate::tamper::Broken>,
    /// How long the last node is away before anything else goes wrong, to see how fast it catches up.
    pub absence: Option<Duration>,
}

/// Why nothing can be simulated so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Too many or too few nodes.
    #[error("{nodes} nodes cannot be simulated: choose 1 to {MAX_NODES}")]
    Nodes {
        /// What was asked for.
        nodes: usize,
    },
    /// Somebody is to be away, and nobody is left.
    #[error("one of {nodes} nodes cannot be away: the others must be enough to go on, so choose 4 or more")]
    Absence {
        /// How many there are.
        nodes: usize,
    },
    /// Too long or too short.
    #[error("{} s cannot be simulated: choose {} s to {} days", .span.as_secs(), MIN_SPAN.as_secs(), MAX_SPAN.as_secs() / 86_400)]
    Span {
        /// What was asked for.
        span: Duration,
    },
}

impl Config {
    /// A run with every fault, 30 operations a minute, and parameters that fit its length.
    pub fn new(seed: u64, nodes: usize, span: Duration) -> Self {
        Self {
            seed,
            nodes,
            span,
            faults: Faults::all(),
            calm: CALM,
            gap: Duration::from_secs(2),
            parameters: if span < LONG_SPAN { short() } else { long() },
            broken: None,
            absence: None,
        }
    }

    /// Whether this can be simulated.
    ///
    /// # Errors
    /// [`ConfigError`] names what cannot be.
    pub fn check(&self) -> Result<(), ConfigError> {
        if !(1..=MAX_NODES).contains(&self.nodes) {
            return Err(ConfigError::Nodes { nodes: self.nodes });
        }
        if !(MIN_SPAN..=MAX_SPAN).contains(&self.span) {
            return Err(ConfigError::Span { span: self.span });
        }
        if self.absence.is_some() && self.tolerated() == 0 {
            return Err(ConfigError::Absence { nodes: self.nodes });
        }
        let long = self.absence.into_iter().chain([self.calm]).max();
        if let Some(span) = long.filter(|span| *span > MAX_SPAN) {
            return Err(ConfigError::Span { span });
        }
        Ok(())
    }

    /// How many seats may be faulty at once without stopping or misleading the others.
    pub const fn tolerated(&self) -> usize {
        (self.nodes - 1) / 3
    }
}

/// A time of a run as the model's.
pub(crate) fn millis(span: Duration) -> Millis {
    Millis::new(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}

/// Parameters for runs of minutes: many epochs and many ended challenge windows.
pub fn short() -> Parameters {
    Parameters {
        epoch_blocks: 64,
        challenge_window_ms: Millis::from_secs(15),
        challenge_stake: Mana::from_whole(10),
        voting_period_ms: Millis::from_secs(40),
        timelock_ms: Millis::from_secs(5),
        ..Parameters::devnet()
    }
}

/// Parameters for longer runs: those of production, but that votes end before the run does.
fn long() -> Parameters {
    Parameters {
        voting_period_ms: Millis::from_secs(1_800),
        timelock_ms: Millis::from_secs(300),
        ..Parameters::production()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_as_they_are_written() {
        for text in ["none", "kills", "kills,loss", "partitions,delay,equivocation"] {
            assert_eq!(text.parse::<Faults>().unwrap().to_string(), text);
        }
        assert_eq!("all".parse::<Faults>().unwrap(), Faults::all());
        assert_eq!(
            Faults::all().to_string().parse::<Faults>().unwrap(),
            Faults::all()
        );
        let error = "kills,fire".parse::<Faults>().unwrap_err().to_string();
        assert!(
            error.contains("\"fire\"") && error.contains("partitions"),
            "{error}"
        );
        assert!("".parse::<Faults>().is_err());
    }

    #[test]
    fn impossible_runs_are_refused() {
        let minute = Duration::from_secs(60);
        assert!(Config::new(1, 4, minute).check().is_ok());
        assert_eq!(
            Config::new(1, 0, minute).check(),
            Err(ConfigError::Nodes { nodes: 0 })
        );
        assert_eq!(
            Config::new(1, 65, minute).check(),
            Err(ConfigError::Nodes { nodes: 65 })
        );
        assert!(Config::new(1, 4, Duration::from_secs(1)).check().is_err());
        assert!(Config::new(1, 4, MAX_SPAN * 2).check().is_err());
        let without_one = Config {
            absence: Some(minute),
            ..Config::new(1, 3, minute)
        };
        assert_eq!(without_one.check(), Err(ConfigError::Absence { nodes: 3 }));
    }

    #[test]
    fn the_parameters_are_possible() {
        short().check().unwrap();
        assert_eq!(
            [1, 3, 4, 7, 12].map(|nodes| Config::new(1, nodes, MIN_SPAN).tolerated()),
            [0, 0, 1, 2, 3]
        );
    }
}
