//! Bounds of everything that has a size. What is over a bound is refused before it is stored or paid for.

/// Bytes of one signed operation, whatever it carries (16 bids of an award are the largest).
pub const MAX_OPERATION_BYTES: usize = 32 << 10;
/// Operations in one block.
pub const MAX_BLOCK_OPERATIONS: usize = 8_192;
/// Bytes of one block of the log.
pub const MAX_LOG_BLOCK_BYTES: usize = 4 << 20;
/// Bytes of one block of the DAG; larger content is a file of several.
pub const MAX_DAG_BLOCK_BYTES: usize = 1 << 20;
/// Seats of a federation: cooperatives and witnesses.
pub const MAX_SEATS: usize = 128;
/// Members of one cooperative that the log knows by key.
pub const MAX_MEMBERS_PER_COOPERATIVE: usize = 100_000;
/// Officers' keys of one cooperative.
pub const MAX_OFFICERS: usize = 16;
/// Keys that a seat had before, and that are remembered.
pub const MAX_FORMER_KEYS: usize = 8;
/// Bytes of a name.
pub const MAX_NAME_BYTES: usize = 64;
/// Bytes of a free text inside an operation (a reason); longer text is a block.
pub const MAX_TEXT_BYTES: usize = 512;
/// Addresses in an invitation.
pub const MAX_ADDRESSES: usize = 16;
/// How far an operation's expiry may lie after the block that carries it.
pub const MAX_EXPIRY: crate::Millis = crate::Millis::from_secs(3_600);
/// How far an operation's number may lie from the highest that its key has used.
pub const SEQUENCE_WINDOW: u64 = 64;
/// Bids that an award carries.
pub const MAX_BIDS: usize = 16;
/// Replicas of one job.
pub const MAX_REPLICAS: u8 = 5;
/// Arguments of a job.
pub const MAX_ARGS: usize = 64;
/// Variables of a job.
pub const MAX_ENV: usize = 64;
/// Bytes of all arguments and variables of a job.
pub const MAX_ARG_BYTES: usize = 8 << 10;
/// Input files of a job.
pub const MAX_INPUTS: usize = 64;
/// Output files of a job.
pub const MAX_OUTPUTS: usize = 64;
/// Bytes of a path that a job sees.
pub const MAX_PATH_BYTES: usize = 256;
/// Cooperatives that a job can name as the only ones allowed to run it.
pub const MAX_REQUIRED_COOPERATIVES: usize = 16;
/// Fuel of one job: about a minute of one core.
pub const MAX_FUEL: u64 = 100_000_000_000;
/// Memory of one job.
pub const MAX_MEMORY_BYTES: u64 = 1 << 30;
/// Output of one job: standard output, standard error and files together.
pub const MAX_OUTPUT_BYTES: u64 = 64 << 20;
/// Wall clock of one job.
pub const MAX_WALL_MS: u64 = 600_000;
/// Times that a job goes to another executor after a failure.
pub const MAX_RETRIES: u32 = 16;
/// How far a job's deadline may lie after its submission.
pub const MAX_JOB_SPAN: crate::Millis = crate::Millis::from_secs(7 * 24 * 3_600);
/// Open applications that one cooperative's invitations can have at once.
pub const MAX_APPLICATIONS_PER_INVITER: usize = 16;
/// How far an invitation's expiry may lie after the block that uses it.
pub const MAX_INVITATION_SPAN: crate::Millis = crate::Millis::from_secs(30 * 24 * 3_600);
/// Jobs that are over and still kept for readers; beyond it the oldest go first.
pub const MAX_ENDED_JOBS: usize = 50_000;
/// All mana that ever comes into being, in thousandths: sums of accounts never overflow.
pub const MAX_SUPPLY: crate::Mana = crate::Mana::from_milli(i64::MAX as u64);
/// Options of one proposal.
pub const MAX_OPTIONS: usize = 32;
/// How long a proposal is open, at the least.
pub const MIN_VOTING: crate::Millis = crate::Millis::from_secs(1);
/// How long a proposal is open, waits for sponsors, or waits to be carried out, at the most.
pub const MAX_VOTING: crate::Millis = crate::Millis::from_secs(90 * 24 * 3_600);
/// How long a cooperative can be suspended by one decision.
pub const MAX_SUSPENSION: crate::Millis = crate::Millis::from_secs(365 * 24 * 3_600);
/// Proposals of one cooperative and its members that are under way.
pub const MAX_OPEN_PROPOSALS_PER_COOPERATIVE: usize = 16;
/// Proposals of all that are under way.
pub const MAX_OPEN_PROPOSALS: usize = 256;
/// Proposals that are over and still kept for readers; beyond it the oldest go first.
pub const MAX_ENDED_PROPOSALS: usize = 1_000;
/// How long a proposal that is over is kept for readers, and a failed one can be tried again.
pub const PROPOSAL_RETENTION: crate::Millis = crate::Millis::from_secs(90 * 24 * 3_600);
/// Links of a chain of delegations.
pub const MAX_DELEGATION_CHAIN: usize = 16;
/// Delegations of one voter, on different topics.
pub const MAX_DELEGATIONS: usize = 16;
/// Bytes of the text of a contract or module.
pub const MAX_CONTRACT_BYTES: usize = 24 << 10;
/// Contracts and modules that the log knows at once.
pub const MAX_CONTRACTS: usize = 1_024;
/// For how many votes one ballot can count.
pub const MAX_VOTE_WEIGHT: u64 = 1_000_000;
/// How long a contract that nothing uses is kept, and an officer's wish that others do not share.
pub const UNUSED_RETENTION: crate::Millis = crate::Millis::from_secs(30 * 24 * 3_600);
/// Parties of one agreement.
pub const MAX_PARTIES: usize = 16;
/// Lines that one agreement opens.
pub const MAX_LINES_PER_AGREEMENT: usize = 8;
/// Rates that one agreement names.
pub const MAX_RATES_PER_AGREEMENT: usize = 16;
/// Bytes of the code of a unit of credit.
pub const MAX_UNIT_BYTES: usize = 16;
/// The largest limit of credit and the largest amount, minor units: sums of two never overflow.
pub const MAX_CREDIT: u64 = 1 << 62;
/// A notice period, a time to contest, or a renewal, at the most.
pub const MAX_AGREEMENT_SPAN: crate::Millis = crate::Millis::from_secs(10 * 366 * 24 * 3_600);
/// Time to contest a claim of breach, at the least.
pub const MIN_CONTEST: crate::Millis = crate::Millis::from_secs(1);
/// A renewal, at the least.
pub const MIN_RENEWAL: crate::Millis = crate::Millis::from_secs(24 * 3_600);
/// How long an offer waits for signatures.
pub const OFFER_SPAN: crate::Millis = crate::Millis::from_secs(90 * 24 * 3_600);
/// How long an agreement that has ended is kept for readers.
pub const AGREEMENT_RETENTION: crate::Millis = crate::Millis::from_secs(366 * 24 * 3_600);
/// Agreements of one proposer that have not ended.
pub const MAX_AGREEMENTS_PER_COOPERATIVE: usize = 1_024;
/// Agreements that have ended and are still kept; beyond it the oldest go first.
pub const MAX_ENDED_AGREEMENTS: usize = 50_000;
/// Entries in the history of one agreement, but for those that end it or defend it.
pub const MAX_AGREEMENT_ENTRIES: u64 = 4_096;
/// Transfers of one chain that wait for the creditor's signature.
pub const MAX_PENDING_TRANSFERS: usize = 64;
/// Transfers of one chain whose references and signatures are held in memory, so that each is made and answered once.
pub const MAX_RECENT_TRANSFERS: usize = 4_096;
/// Time between two rounds of clearing, at the least.
pub const MIN_CLEARING_SPAN: crate::Millis = crate::Millis::from_secs(10);
/// Time between two rounds of clearing, at the most.
pub const MAX_CLEARING_SPAN: crate::Millis = crate::Millis::from_secs(366 * 24 * 3_600);
/// Time to join a round of clearing, or to object to its plan, at the least.
pub const MIN_CLEARING_WINDOW: crate::Millis = crate::Millis::from_secs(1);
/// Time to join a round of clearing, or to object to its plan, at the most.
pub const MAX_CLEARING_WINDOW: crate::Millis = crate::Millis::from_secs(30 * 24 * 3_600);
/// Lines with which one operation joins a round of clearing.
pub const MAX_LINES_PER_JOIN: usize = 256;
/// Lines in the plan of one round of clearing: what a block that makes or applies it takes is bounded by it.
pub const MAX_CLEARING_ROWS: usize = 8_192;
/// Rounds of clearing whose rows and prices are kept for readers.
pub const MAX_CLEARING_REPORTS: usize = 8;
/// Rounds of clearing that are kept for readers; beyond it the oldest go first.
pub const MAX_CLEARING_ROUNDS: usize = 1_000;
/// How long what was signed by both under a line key or a limit that is no longer in force can be anchored.
pub const LINE_GRACE: crate::Millis = crate::Millis::from_secs(7 * 24 * 3_600);
