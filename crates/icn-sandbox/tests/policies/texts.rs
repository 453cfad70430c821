//! Texts that are at hand, and the interpreter as an engine of the state.
use icn_ccl::{Interpreter, Resolver};
use icn_model::{Cid, PolicyAnswer, PolicyFailure, PolicyQuestion};
use icn_state::{Examined, Policies, Texts};
use std::collections::BTreeMap;

/// A log of texts.
#[derive(Default)]
pub(crate) struct Shelf(BTreeMap<Cid, String>);

impl Shelf {
    pub(crate) fn add(&mut self, text: impl Into<String>) -> Cid {
        let text = text.into();
        let cid = Cid::of_raw(text.as_bytes());
        self.0.insert(cid, text);
        cid
    }

    pub(crate) fn remove(&mut self, cid: &Cid) {
        self.0.remove(cid);
    }
}

impl Texts for Shelf {
    fn text(&self, cid: &Cid) -> Option<&str> {
        self.0.get(cid).map(String::as_str)
    }
}

/// Contracts by the interpreter, as simulations run them.
#[derive(Debug, Default)]
pub(crate) struct Interpreted(Interpreter);

struct OfState<'a>(&'a dyn Texts);

impl Resolver for OfState<'_> {
    fn source(&self, cid: &Cid) -> Option<&str> {
        self.0.text(cid)
    }
}

impl Policies for Interpreted {
    fn examine(&self, source: &str, texts: &dyn Texts) -> Result<Examined, String> {
        let contract = self.0.examine(source, &OfState(texts))?;
        Ok(Examined {
            name: contract.name().to_owned(),
            slots: contract.slots(),
            imports: contract.imports(),
        })
    }

    fn ask(
        &self,
        contract: &Cid,
        texts: &dyn Texts,
        question: &PolicyQuestion,
    ) -> Result<PolicyAnswer, PolicyFailure> {
        self.0.ask(contract, &OfState(texts), question)
    }
}
