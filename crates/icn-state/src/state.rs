//! The state: its tables, how it begins, is loaded and written.
//!
//! Here is nothing of what operations mean: see `step` and the modules that it calls.
use crate::{
    agreements::index::AgreementIndex,
    changes::{Change, Changes},
    credit::index::LineIndex,
    engine::Engine,
    governance::index::{BallotIndex, ProposalIndex},
    index::{Counts, JobIndex, MemberIndex, SeatIndex},
    merkle::MerkleTree,
    table::{DueIndex, Table},
};
use alloc::vec::Vec;
use icn_model::{
    AccountRecord, ActivityRecord, AgreementEntry, AgreementId, AgreementRecord, BallotRecord, Cid,
    ClearedUnit, ClearingPrice, ClearingRow, ContractRecord, CreditUnit, DecidedRecord, DelegationRecord,
    DepartedRecord, Did, Digest, EpochNumber, EpochRecord, FederationRecord, GoneRecord, HeadRecord, Height,
    InvitationId, InvitationRecord, JobId, JobRecord, JobSpec, LineRecord, MemberRecord, MetaRecord,
    PaidRecord, Parameters, PolicyRecord, PolicySlot, Process, ProposalId, ProposalKind, ProposalRecord,
    PublicKey, Ranking, RateRecord, RoundNumber, RoundRecord, SeatEntry, SeatRecord, Sequence,
    SequenceRecord, StandingRecord, Time, WishesRecord,
    canonical::{self, DecodeError},
};

/// Key of the head record: alone outside of what roots cover, since it holds them.
pub(crate) const HEAD: u8 = 0x00;
/// The table of seats, as it is numbered below.
const SEATS: u8 = 0x11;
const META: u8 = 0x01;
const FEDERATION: u8 = 0x02;
const MAX_SINGLE_RECORD_BYTES: usize = 64 << 10;

macro_rules! tables {
    ($($(#[$doc:meta])* $number:literal $name:ident: $table:ty;)*) => {
        /// Every table. A number is part of the format: never reused, and in order, so that changes and
        /// records come out sorted.
        #[derive(Default)]
        pub(crate) struct Tables {
            $($(#[$doc])* pub(crate) $name: $table,)*
        }

        /// Where the writes of every table stand.
        #[derive(Clone, Copy)]
        pub(crate) struct TablesMark {
            $($name: usize,)*
        }

        impl Tables {
            pub(crate) fn mark(&self) -> TablesMark {
                TablesMark { $($name: self.$name.mark(),)* }
            }

            pub(crate) fn undo_to(&mut self, mark: TablesMark) {
                $(self.$name.undo_to(mark.$name);)*
            }

            pub(crate) fn keep(&mut self) {
                $(self.$name.keep();)*
            }

            fn drain_changes(&mut self, changes: &mut Vec<Change>) {
                $(self.$name.drain_changes($number, changes);)*
            }

            fn records(&self) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
                core::iter::empty()$(.chain(self.$name.records($number)))*
            }

            /// The first table whose index is not what its rows make of one.
            pub(crate) fn wrong_index(&self) -> Option<&'static str> {
                let tables = [$((stringify!($name), self.$name.has_right_index()),)*];
                tables.into_iter().find(|(_, is_right)| !is_right).map(|(name, _)| name)
            }

            fn load(&mut self, number: u8, key: &[u8], value: &[u8]) -> Result<(), LoadError> {
                let loaded = match number {
                    $($number => self.$name.load(key, value),)*
                    _ => return Err(LoadError::UnknownTable { number }),
                };
                loaded.map_err(|source| LoadError::Record { table: number, source })
            }
        }
    };
}

tables! {
    /// Rate and capacity of regeneration, from when on.
    0x10 rates: Table<Time, RateRecord>;
    /// Cooperatives and witnesses, from application to long after leaving.
    0x11 seats: Table<Did, SeatRecord, SeatIndex>;
    /// Members of cooperatives.
    0x12 members: Table<Did, MemberRecord, MemberIndex>;
    /// Used invitations.
    0x13 invitations: Table<InvitationId, InvitationRecord, DueIndex<InvitationId>>;
    /// Numbers that keys have used.
    0x14 sequences: Table<PublicKey, SequenceRecord, DueIndex<PublicKey>>;
    /// The seats of recent epochs, the current and, once fixed, the next.
    0x15 epochs: Table<EpochNumber, EpochRecord>;
    /// Mana of cooperatives and members.
    0x20 accounts: Table<Did, AccountRecord>;
    /// Standing of cooperatives.
    0x21 standings: Table<Did, StandingRecord>;
    /// Pay between two cooperatives that counts for standing: executor, payer.
    0x22 paid: Table<(Did, Did), PaidRecord>;
    /// What was asked; written once.
    0x30 specs: Table<JobId, JobSpec>;
    /// How each job stands.
    0x31 jobs: Table<JobId, JobRecord, JobIndex>;
    /// The choice among the bids of the last award.
    0x32 rankings: Table<JobId, Ranking>;
    /// Proposals.
    0x40 proposals: Table<ProposalId, ProposalRecord, ProposalIndex>;
    /// Votes.
    0x41 ballots: Table<(ProposalId, Did), BallotRecord, BallotIndex>;
    /// Who votes for those who do not: whose, topic.
    0x42 delegations: Table<(Did, Digest), DelegationRecord, DueIndex<(Did, Digest)>>;
    /// What officers want that needs more of them: cooperative, matter.
    0x43 wishes: Table<(Did, Digest), WishesRecord, DueIndex<(Did, Digest)>>;
    /// What was decided that proposals of a kind go through.
    0x44 processes: Table<ProposalKind, Process>;
    /// Members that left, by when.
    0x45 departed: Table<(Time, Did), DepartedRecord, Counts<Did>>;
    /// Texts of contracts.
    0x50 contracts: Table<Cid, ContractRecord, DueIndex<Cid>>;
    /// The contracts that decide slots.
    0x51 policies: Table<PolicySlot, PolicyRecord>;
    /// What cooperatives do and did lately.
    0x52 activities: Table<Did, ActivityRecord>;
    /// Rates and capacities by policy.
    0x53 own_rates: Table<Did, RateRecord>;
    /// Agreements between cooperatives.
    0x60 agreements: Table<AgreementId, AgreementRecord, AgreementIndex>;
    /// Their histories: agreement, number.
    0x61 agreement_entries: Table<(AgreementId, Sequence), AgreementEntry>;
    /// Lines of credit: agreement, unit.
    0x62 lines: Table<(AgreementId, CreditUnit), LineRecord, LineIndex>;
    /// Rounds of clearing.
    0x63 rounds: Table<RoundNumber, RoundRecord>;
    /// What the plan of a round comes to in each unit; of the last ones that were applied.
    0x64 cleared_units: Table<(RoundNumber, CreditUnit), ClearedUnit>;
    /// The lines in the plan of a round.
    0x65 clearing_rows: Table<(RoundNumber, (AgreementId, CreditUnit)), ClearingRow>;
    /// Its certificate: round, unit and party.
    0x66 clearing_prices: Table<(RoundNumber, (CreditUnit, Did)), ClearingPrice>;
    /// What was settled on lines that are forgotten.
    0x67 gone: Table<(Did, CreditUnit), GoneRecord>;
}

/// Why stored records are not a state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// A record that every state has is not there.
    #[error("the stored state has no {name} record: restore a backup, or sync from the federation")]
    Missing {
        /// Which.
        name: &'static str,
    },
    /// A record of a table that this program does not know.
    #[error(
        "the stored state has a table {number:#04x} unknown to this version: it was written by a newer one"
    )]
    UnknownTable {
        /// Its number.
        number: u8,
    },
    /// A record without a key.
    #[error("the stored state has a record without a key")]
    EmptyKey,
    /// A record that does not decode.
    #[error("the stored state has a damaged record in table {table:#04x}")]
    Record {
        /// Number of the table.
        table: u8,
        /// What is wrong with it.
        source: DecodeError,
    },
}

/// The state of a federation: everything that its log has brought about.
pub struct State {
    pub(crate) tables: Tables,
    pub(crate) federation: FederationRecord,
    pub(crate) meta: MetaRecord,
    pub(crate) head: HeadRecord,
    /// Runs contracts; not part of what the log brings about.
    pub(crate) engine: Engine,
}

/// Where a state stands, to be undone to.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    tables: TablesMark,
    meta: MetaRecord,
    rules: Rules,
}

/// The part of the federation's record that the log can change.
pub(crate) type Rules = (Parameters, DecidedRecord);

impl State {
    /// The state that was persisted as `records`, in any order.
    ///
    /// Each record is checked to be canonical; that together they are what the root says is the caller's to
    /// know (they were written in one batch with the root), or to check by [`State::merkle_root`].
    /// Contracts run on `engine`.
    ///
    /// # Errors
    /// [`LoadError`] names the record that is missing or damaged.
    pub fn load(
        records: impl Iterator<Item = (Vec<u8>, Vec<u8>)>,
        engine: Engine,
    ) -> Result<Self, LoadError> {
        let mut tables = Tables::default();
        let (mut head, mut meta, mut federation) = (None, None, None);
        for (key, value) in records {
            let (&table, key) = key.split_first().ok_or(LoadError::EmptyKey)?;
            match table {
                HEAD => head = Some(single(table, key, &value)?),
                META => meta = Some(single(table, key, &value)?),
                FEDERATION => federation = Some(single(table, key, &value)?),
                _ => tables.load(table, key, &value)?,
            }
        }
        Ok(Self {
            tables,
            federation: federation.ok_or(LoadError::Missing { name: "federation" })?,
            meta: meta.ok_or(LoadError::Missing { name: "meta" })?,
            head: head.ok_or(LoadError::Missing { name: "head" })?,
            engine,
        })
    }

    /// Every record as it is stored, sorted by key.
    pub fn records(&self) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
        core::iter::once((alloc::vec![HEAD], canonical::to_bytes(&self.head))).chain(self.covered_records())
    }

    fn covered_records(&self) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
        [
            (alloc::vec![META], canonical::to_bytes(&self.meta)),
            (alloc::vec![FEDERATION], canonical::to_bytes(&self.federation)),
        ]
        .into_iter()
        .chain(self.tables.records())
    }

    /// The Merkle root over all records but the head; reads the whole state.
    pub fn merkle_root(&self) -> Digest {
        let mut tree = MerkleTree::default();
        self.covered_records()
            .for_each(|(key, value)| tree.push(&key, &value));
        tree.root()
    }

    /// Takes what changed since the last call, advances the root by it and adds the head.
    pub(crate) fn seal(&mut self, with_federation: bool) -> Changes {
        let mut changes = alloc::vec![Change {
            key: alloc::vec![META],
            value: Some(canonical::to_bytes(&self.meta)),
        }];
        if with_federation {
            changes.push(Change {
                key: alloc::vec![FEDERATION],
                value: Some(canonical::to_bytes(&self.federation)),
            });
        }
        self.tables.drain_changes(&mut changes);
        let mut changes = Changes(changes);
        self.head.root = changes.root(&self.head.root);
        changes.0.insert(0, self.head_change());
        changes
    }

    pub(crate) fn head_change(&self) -> Change {
        Change {
            key: alloc::vec![HEAD],
            value: Some(canonical::to_bytes(&self.head)),
        }
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark {
            tables: self.tables.mark(),
            meta: self.meta,
            rules: self.rules(),
        }
    }

    pub(crate) fn undo_to(&mut self, mark: Mark) {
        self.tables.undo_to(mark.tables);
        self.meta = mark.meta;
        (self.federation.parameters, self.federation.decided) = mark.rules;
    }

    pub(crate) fn rules(&self) -> Rules {
        (self.federation.parameters, self.federation.decided)
    }

    /// What runs the federation's contracts.
    pub fn engine(&self) -> Engine {
        self.engine.clone()
    }

    /// Height of the last applied block; 0 after genesis.
    pub fn height(&self) -> Height {
        self.meta.height
    }

    /// Time of the last applied block.
    pub fn time(&self) -> Time {
        self.meta.time
    }

    /// The outcome root of the last applied block.
    pub fn root(&self) -> Digest {
        self.head.root
    }

    /// Id of the federation.
    pub fn federation(&self) -> Cid {
        self.federation.id
    }

    /// The federation's record.
    pub fn federation_record(&self) -> &FederationRecord {
        &self.federation
    }

    /// The federation's rules now.
    pub fn parameters(&self) -> &Parameters {
        &self.federation.parameters
    }

    /// The epoch of `height`: epochs have a fixed number of blocks, genesis counted.
    pub(crate) fn epoch_of(&self, height: Height) -> EpochNumber {
        EpochNumber::new(height.get() / self.federation.parameters.epoch_blocks.max(1))
    }

    /// The epoch of the next height.
    pub fn epoch(&self) -> EpochNumber {
        self.epoch_of(self.meta.height.next())
    }

    /// Who orders the blocks of `epoch`, sorted by key. Known for the current epoch, the eight before it
    /// and, once fixed, the next.
    pub fn seats(&self, epoch: EpochNumber) -> Option<&[SeatEntry]> {
        self.tables
            .epochs
            .get(&epoch)
            .map(|record| record.seats.as_slice())
    }

    /// The Merkle root over the whole state at the height where the successors of an epoch were fixed last.
    pub fn checkpoint(&self) -> Option<(Height, Digest)> {
        self.head.checkpoint.map(|named| (named.height, named.root))
    }

    /// Whether a change of seats waits for the next epoch: then empty blocks follow at once.
    pub fn change_waits(&self) -> bool {
        !self.tables.seats.index().waiting.is_empty()
    }
}

/// For tests of what happens to a node that computes something else than the others.
#[cfg(feature = "test-hooks")]
impl State {
    /// Changes one account as no operation can; the change is part of the next block's.
    pub fn alter_one_account(&mut self) {
        let first = self.tables.accounts.iter().next();
        if let Some((did, mut account)) = first.map(|(did, account)| (*did, *account)) {
            account.available = account.available.saturating_add(icn_model::Mana::from_milli(1));
            self.tables.accounts.set(did, account);
        }
    }
}

/// Where the [`SeatRecord`] of `did` is stored, for who wants it without the rest of the state.
pub fn seat_key(did: &Did) -> Vec<u8> {
    crate::table::full_key(SEATS, did)
}

fn single<T: serde::Serialize + serde::de::DeserializeOwned>(
    table: u8,
    key: &[u8],
    value: &[u8],
) -> Result<T, LoadError> {
    if !key.is_empty() {
        return Err(LoadError::UnknownTable { number: table });
    }
    canonical::from_bytes(value, MAX_SINGLE_RECORD_BYTES)
        .map_err(|source| LoadError::Record { table, source })
}
