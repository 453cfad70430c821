//! A check: what was looked at, what was found, and what mends it.
use serde::Serialize;

/// How a check ended, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Verdict {
    Pass,
    /// Nothing that software can tell: people have to.
    CannotVouch,
    Unknown,
    Warn,
    Fail,
}

impl Verdict {
    /// For people.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::CannotVouch => "yours to say",
            Self::Unknown => "unknown",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// A check with what it found and what mends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) verdict: Verdict,
    pub(super) finding: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mend: Option<String>,
}

impl Check {
    fn new(name: &'static str, verdict: Verdict, finding: impl Into<String>, mend: Option<String>) -> Self {
        Self {
            name,
            verdict,
            finding: finding.into(),
            mend,
        }
    }

    pub(super) fn pass(name: &'static str, finding: impl Into<String>) -> Self {
        Self::new(name, Verdict::Pass, finding, None)
    }

    pub(super) fn unknown(name: &'static str, finding: impl Into<String>) -> Self {
        Self::new(name, Verdict::Unknown, finding, None)
    }

    pub(super) fn warn(name: &'static str, finding: impl Into<String>, mend: impl Into<String>) -> Self {
        Self::new(name, Verdict::Warn, finding, Some(mend.into()))
    }

    pub(super) fn fail(name: &'static str, finding: impl Into<String>, mend: impl Into<String>) -> Self {
        Self::new(name, Verdict::Fail, finding, Some(mend.into()))
    }

    /// What the software cannot vouch for; `mend` is what helps with it.
    pub(super) fn cannot_vouch(name: &'static str, what: &str, mend: impl Into<String>) -> Self {
        let finding = format!("the software cannot vouch for this: {what}");
        Self::new(name, Verdict::CannotVouch, finding, Some(mend.into()))
    }

    /// The same under another name.
    pub(super) fn named(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// One of several checks of the same thing: the worst, with what all of them found.
    pub(super) fn worst(name: &'static str, checks: impl IntoIterator<Item = Self>) -> Self {
        let checks: Vec<_> = checks.into_iter().collect();
        let worst = checks.iter().map(|check| check.verdict).max();
        let of_worst = checks.iter().find(|check| Some(check.verdict) == worst);
        let findings: Vec<_> = checks.iter().map(|check| check.finding.as_str()).collect();
        Self::new(
            name,
            worst.unwrap_or(Verdict::Unknown),
            findings.join("; "),
            of_worst.and_then(|check| check.mend.clone()),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_of_several_decides_and_says_what_mends_it() {
        let checks = [
            Check::pass("a", "well"),
            Check::fail("b", "broken", "mend it"),
            Check::warn("c", "worn", "look after it"),
        ];
        let worst = Check::worst("all", checks);
        assert_eq!(
            (worst.verdict, worst.mend.as_deref()),
            (Verdict::Fail, Some("mend it"))
        );
        assert_eq!(worst.finding, "well; broken; worn");
    }
}
