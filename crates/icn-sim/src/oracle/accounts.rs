//! Every account in the store, added up and compared with the books.
use super::{Books, Invariant, Violation};
use icn_model::{AccountRecord, Did, Genesis, MetaRecord, PublicKey, Time, canonical};
use icn_protocol::ledger::Ledger;
use icn_store::{Reader as _, ScanRange, Table};

/// Prefixes of keys in the state's table; part of the stored format.
const META: &[u8] = &[0x01];
const ACCOUNTS: &[u8] = &[0x20];
const PAGE: usize = 4_096;
const MAX_RECORD_BYTES: usize = 1 << 16;
const HOUR_MS: u128 = 3_600_000;

/// The federation's rules of mana.
pub(super) struct Accounts {
    created: Time,
    rate_per_hour: u64,
    capacity: u64,
    granted: u64,
}

impl Accounts {
    pub(super) fn new(genesis: &Genesis) -> Self {
        let parameters = &genesis.parameters;
        Self {
            created: genesis.created,
            rate_per_hour: parameters.mana_rate_per_hour.milli(),
            capacity: parameters.mana_capacity.milli(),
            granted: parameters.mana_start.milli() * genesis.founders.len() as u64,
        }
    }

    /// Nothing comes from nowhere: in sum on every node, and account by account where the books are at the
    /// node's height.
    pub(super) fn invariant_conservation(
        &self,
        node: usize,
        ledger: &Ledger,
        books: Option<&Books>,
    ) -> Result<(), Violation> {
        let wrong =
            |detail: String| Violation::new(Invariant::Conservation, format!("node {node}: {detail}"));
        let (meta, accounts) = read(ledger).map_err(wrong)?;
        let supply = meta.supply;
        let issued = u128::from(supply.granted.milli()) + u128::from(supply.regenerated.milli());
        let found = |account: &AccountRecord| {
            let parts = [account.available, account.held, account.maturing, account.staked];
            parts.iter().map(|part| u128::from(part.milli())).sum::<u128>()
        };
        let owned: u128 = accounts.iter().map(|(_, account)| found(account)).sum();
        if issued != owned + u128::from(supply.burned.milli()) {
            return Err(wrong(format!(
                "{issued} came into being, {owned} is there, and {supply:?}"
            )));
        }
        let Some(books) = books else { return Ok(()) };
        let granted = self.granted + books.allocated();
        if supply.granted.milli() != granted {
            return Err(wrong(format!(
                "{} was granted, not {granted}",
                supply.granted.milli()
            )));
        }
        let mut regenerated = 0;
        for (did, account) in &accounts {
            let gained = self.compare(books, did, account);
            regenerated += gained.map_err(|detail| wrong(format!("account of {}: {detail}", did.short())))?;
        }
        if regenerated != i128::from(supply.regenerated.milli()) {
            return Err(wrong(format!(
                "accounts gained {regenerated}, the supply {:?}",
                supply.regenerated
            )));
        }
        let maturing: u64 = accounts.iter().map(|(_, account)| account.maturing.milli()).sum();
        if maturing != books.maturing() {
            return Err(wrong(format!(
                "{maturing} is maturing, jobs say {}",
                books.maturing()
            )));
        }
        Ok(())
    }

    /// Compares one account and says what it must have gained by regeneration.
    fn compare(&self, books: &Books, did: &Did, account: &AccountRecord) -> Result<i128, String> {
        let (held, holds) = books.held(did);
        if (account.held.milli(), account.holds) != (held, holds) {
            return Err(format!(
                "holds {} in {} jobs, should {held} in {holds}",
                account.held, account.holds
            ));
        }
        if account.staked.milli() != books.staked(did) {
            return Err(format!(
                "has {} at stake, should {}",
                account.staked,
                books.staked(did)
            ));
        }
        let own = i128::from(account.available.milli() + account.held.milli() + account.staked.milli());
        let gained = own - i128::from(books.balance(did));
        let most = if account.regenerates {
            self.regeneration(account.touched)
        } else {
            0
        };
        // Below its capacity an account gains exactly what time gives it.
        let uncapped = own.max(i128::from(books.balance(did)) + most) + i128::from(account.shared.milli());
        let is_below = uncapped + i128::from(self.capacity / 20) < i128::from(self.capacity);
        if gained < 0 || gained > most || (is_below && gained != most) {
            return Err(format!(
                "gained {gained} by regeneration, at most {most} was due: {account:?}"
            ));
        }
        Ok(gained)
    }

    fn regeneration(&self, until: Time) -> i128 {
        let elapsed = u128::from(until.since(self.created).get());
        let gained = u128::from(self.rate_per_hour) * elapsed / HOUR_MS;
        i128::try_from(gained).unwrap_or(i128::MAX)
    }
}

type Rows = Vec<(Did, AccountRecord)>;

fn read(ledger: &Ledger) -> Result<(MetaRecord, Rows), String> {
    let store = ledger.store();
    let meta = store.get(Table::State, META).map_err(|error| error.to_string())?;
    let meta = canonical::from_own_bytes(&meta.unwrap_or_default(), MAX_RECORD_BYTES);
    let meta = meta.map_err(|error| format!("the meta record cannot be read: {error}"))?;
    let mut accounts = Vec::new();
    let all = ScanRange::prefix(ACCOUNTS);
    let mut range = all.clone();
    loop {
        let page = store
            .scan(Table::State, &range, PAGE)
            .map_err(|error| error.to_string())?;
        for (key, value) in &page.entries {
            let did = key[ACCOUNTS.len()..]
                .try_into()
                .map(|bytes| Did::new(PublicKey::new(bytes)));
            let account = canonical::from_own_bytes(value, MAX_RECORD_BYTES);
            let (Ok(did), Ok(account)) = (did, account) else {
                return Err(format!("an account of {} bytes cannot be read", value.len()));
            };
            accounts.push((did, account));
        }
        match page.next {
            Some(cursor) => range = all.resume(&cursor),
            None => return Ok((meta, accounts)),
        }
    }
}
