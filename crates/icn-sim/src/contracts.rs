//! The contracts of the log, run by the language's interpreter.
use icn_ccl::{Resolver, contract::Interpreter};
use icn_model::{Cid, PolicyAnswer, PolicyFailure, PolicyQuestion};
use icn_state::{Examined, Policies, Texts};

/// The engine of simulated nodes.
#[derive(Debug, Default)]
pub(crate) struct Contracts(Interpreter);

struct OfState<'a>(&'a dyn Texts);

impl Resolver for OfState<'_> {
    fn source(&self, cid: &Cid) -> Option<&str> {
        self.0.text(cid)
    }
}

impl Policies for Contracts {
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
