//! Stores whose log goes on as another one, because seats were lost for good.
use super::{Federation, founder, genesis_of};
use commonware_runtime::{Runner as _, deterministic};
use icn_model::{Genesis, Height, PROTOCOL_VERSION};
use icn_protocol::ledger::{Ledger, LedgerError, SucceedError, begin, succeed};
use icn_state::{Engine, NoPolicies};
use icn_store::{MemoryBackend, Store, StoreConfig};
use std::{sync::Arc, time::Duration};

fn engine() -> Engine {
    Arc::new(NoPolicies)
}

async fn open(store: &Store, genesis: &Genesis) -> Result<Ledger, LedgerError> {
    Ledger::open(store.clone(), genesis, engine(), PROTOCOL_VERSION).await
}

#[test]
fn a_store_goes_on_with_the_survivors_log_and_a_newcomer_begins_with_its_state() {
    deterministic::Runner::timed(Duration::from_secs(600)).start(|context| async move {
        let mut federation = Federation::start(context, 4).await;
        federation
            .until("blocks are ordered", |f| {
                f.nodes[0].ledger().progress().height > Height::new(3)
            })
            .await;
        for log in &mut federation.logs {
            log.abort();
            let _ = log.await;
        }
        let old = genesis_of(&federation);
        let ledger = federation.nodes[0].ledger();
        let (store, before) = (ledger.store().clone(), ledger.progress());
        let lost = [2, 3].map(|number| founder(number).did).into();
        let genesis = ledger.read(|state| state.successor(&lost)).unwrap();

        let records = succeed(&store, &genesis, engine()).await.unwrap();
        let records = records.expect("the state with which the log has ended");
        let again = succeed(&store, &genesis, engine()).await.unwrap();
        assert!(again.is_none(), "once is enough");
        let survivor = open(&store, &genesis).await.unwrap();
        let now = survivor.progress();
        assert_eq!(now.height, Height::ZERO);
        assert!(now.last_event > before.last_event, "events go on");
        assert!(
            survivor.place(Height::new(1)).unwrap().is_none(),
            "places of the old log are gone"
        );
        assert!(matches!(
            open(&store, &old).await,
            Err(LedgerError::Damaged { .. })
        ));

        let newcomer = Store::inline(MemoryBackend::new(), StoreConfig::default());
        assert!(matches!(
            open(&newcomer, &genesis).await,
            Err(LedgerError::NoPredecessor)
        ));
        assert!(matches!(
            succeed(&newcomer, &genesis, engine()).await,
            Err(SucceedError::Empty)
        ));
        // Of an account only, so that it is a state, and another one.
        let less = records
            .iter()
            .filter(|(key, _)| key[0] != 0x20)
            .cloned()
            .collect();
        assert!(matches!(
            begin(&newcomer, &genesis, less, engine()).await,
            Err(SucceedError::Succession(_))
        ));
        begin(&newcomer, &genesis, records.clone(), engine())
            .await
            .unwrap();
        assert_eq!(open(&newcomer, &genesis).await.unwrap().progress().root, now.root);
        assert!(matches!(
            begin(&newcomer, &genesis, records, engine()).await,
            Err(SucceedError::NotEmpty)
        ));
    });
}
