//! How a state begins.
use crate::{changes::Changes, engine::Engine, seats, state::State};
use alloc::vec::Vec;
use icn_model::{
    AccountRecord, DecidedRecord, Digest, EpochNumber, EpochRecord, FederationRecord, Genesis, GenesisError,
    HeadRecord, Height, MetaRecord, RateRecord, SeatKind, SeatPhase, SeatRecord, Succession, Supply,
};

impl State {
    /// The state of height 0: the founders seated, each with the start balance. Its root is
    /// `H(zero ‖ H(changes))`. Contracts run on `engine`.
    ///
    /// # Errors
    /// [`GenesisError`] says why no federation can begin so.
    pub fn genesis(genesis: &Genesis, engine: Engine) -> Result<(Self, Changes), GenesisError> {
        genesis.check()?;
        let mut state = Self {
            tables: crate::state::Tables::default(),
            federation: FederationRecord {
                id: genesis.id(),
                log: genesis.log(),
                name: genesis.name.clone(),
                created: genesis.created,
                parameters: genesis.parameters,
                decided: DecidedRecord {
                    protocol: genesis.protocol,
                    ..DecidedRecord::default()
                },
            },
            meta: MetaRecord {
                height: Height::ZERO,
                time: genesis.created,
                supply: Supply::default(),
                period: genesis.created,
            },
            head: HeadRecord {
                root: Digest::ZERO,
                checkpoint: None,
            },
            engine,
        };
        let rate = RateRecord {
            rate_per_hour: genesis.parameters.mana_rate_per_hour,
            capacity: genesis.parameters.mana_capacity,
        };
        state.tables.rates.set(genesis.created, rate);
        for founder in &genesis.founders {
            state.tables.seats.set(
                founder.did,
                SeatRecord {
                    kind: SeatKind::Cooperative,
                    name: founder.name.clone(),
                    keys: founder.keys.clone(),
                    inviter: None,
                    phase: SeatPhase::Seated {},
                    since: genesis.created,
                    leave: Vec::new(),
                    suspended: None,
                    protocol: genesis.protocol,
                    succession: Succession::default(),
                },
            );
            // At most 128 grants of 2^50: far below the limit of supply.
            let start = genesis.parameters.mana_start;
            state.meta.supply.granted = state.meta.supply.granted.saturating_add(start);
            state.tables.accounts.set(
                founder.did,
                AccountRecord {
                    available: start,
                    regenerates: true,
                    touched: genesis.created,
                    ..AccountRecord::default()
                },
            );
        }
        let seats = seats::next_seats(&state);
        state.tables.epochs.set(EpochNumber::ZERO, EpochRecord { seats });
        state.tables.keep();
        let changes = state.seal(true);
        Ok((state, changes))
    }
}
