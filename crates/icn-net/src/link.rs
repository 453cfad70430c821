//! Outbound queues of one connected peer, and the tasks that move frames between queues and streams.
//!
//! The side that accepts a stream writes [`ADMITTED`] on it, and only then does the opener send: frames
//! wait in their queue, instead of on a stream that the peer is about to refuse.
use crate::{
    behaviour::streams::OpenRequest,
    bucket::Bucket,
    class::Class,
    counters::Counters,
    frame::{self, Frame, FrameError},
    queue::DropOldest,
};
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::Message;
use commonware_runtime::Quota;
use futures::{
    AsyncReadExt as _, AsyncWriteExt as _,
    io::{BufReader, BufWriter, ReadHalf, WriteHalf},
};
use libp2p::{PeerId, Stream};
use std::{
    collections::{HashMap, hash_map::Entry},
    convert::Infallible,
    io,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{Notify, mpsc, mpsc::error::TrySendError, oneshot},
    time::{sleep, timeout},
};

/// First byte on an accepted stream.
const ADMITTED: u8 = 1;
/// Buffer of a stream on either side, bytes.
const BUFFER_BYTES: usize = 64 << 10;
/// Pause before a refused stream is opened again, doubled up to the maximum.
const REOPEN_MIN: Duration = Duration::from_millis(250);
const REOPEN_MAX: Duration = Duration::from_secs(2);

/// Frames and bytes waiting for one peer, by class.
const URGENT_FRAMES: usize = 1_024;
const URGENT_BYTES: usize = 4 << 20;
const BULK_FRAMES: usize = 256;
const BULK_BYTES: usize = 32 << 20;

/// Where the frames of one channel go.
#[derive(Clone, Debug)]
pub(crate) struct Inbound {
    pub(crate) class: Class,
    /// Allowance of each peer.
    pub(crate) quota: Quota,
    pub(crate) queue: mpsc::Sender<Message<PublicKey>>,
}

/// Channels by number.
pub(crate) type Channels = Arc<HashMap<u8, Inbound>>;

/// Outbound queues of one connected peer; dropped with the connection.
#[derive(Debug)]
pub(crate) struct Link {
    urgent: DropOldest<Frame>,
    bulk: DropOldest<Frame>,
    urgent_welcome: Notify,
    bulk_welcome: Notify,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            urgent: DropOldest::new(URGENT_FRAMES, URGENT_BYTES, Arc::default()),
            bulk: DropOldest::new(BULK_FRAMES, BULK_BYTES, Arc::default()),
            urgent_welcome: Notify::new(),
            bulk_welcome: Notify::new(),
        }
    }
}

impl Link {
    const fn queue(&self, class: Class) -> &DropOldest<Frame> {
        match class {
            Class::Urgent => &self.urgent,
            Class::Bulk => &self.bulk,
        }
    }

    /// Notified when the peer opens a stream: it has admitted us, so ours is worth a try.
    pub(crate) const fn welcome(&self, class: Class) -> &Notify {
        match class {
            Class::Urgent => &self.urgent_welcome,
            Class::Bulk => &self.bulk_welcome,
        }
    }

    /// Returns how many older frames were dropped.
    pub(crate) fn push(&self, class: Class, frame: Frame) -> usize {
        self.queue(class).push(frame)
    }
}

/// The sending side of one link and class.
pub(crate) struct Writer {
    pub(crate) peer: PeerId,
    pub(crate) class: Class,
    pub(crate) link: Arc<Link>,
    pub(crate) open: mpsc::Sender<OpenRequest>,
    /// Limit for opening a stream and for its acceptance.
    pub(crate) open_timeout: Duration,
    pub(crate) counters: Arc<Counters>,
}

impl Writer {
    /// Opens the stream and drains the queue into it; opens it again until aborted.
    pub(crate) async fn run(self) {
        let mut pause = REOPEN_MIN;
        loop {
            let opened = Instant::now();
            let error = match self.accepted_stream().await {
                Ok((input, output)) => self.drain(input, output).await,
                Err(error) => error,
            };
            tracing::debug!(peer = %self.peer, class = ?self.class, %error, "no outbound stream");
            let lasted = opened.elapsed() > REOPEN_MAX;
            pause = if lasted {
                REOPEN_MIN
            } else {
                (pause * 2).min(REOPEN_MAX)
            };
            tokio::select! {
                () = sleep(pause) => {}
                () = self.link.welcome(self.class).notified() => pause = REOPEN_MIN,
            }
        }
    }

    /// Opens a stream and waits until the peer has accepted it.
    async fn accepted_stream(&self) -> io::Result<(ReadHalf<Stream>, WriteHalf<Stream>)> {
        let (reply, stream) = oneshot::channel();
        let request = OpenRequest {
            peer: self.peer,
            class: self.class,
            reply,
        };
        self.open
            .send(request)
            .await
            .map_err(|_| io::ErrorKind::NotConnected)?;
        let accept = async {
            let stream = stream
                .await
                .map_err(|_| io::Error::from(io::ErrorKind::NotConnected))??;
            let (mut input, output) = stream.split();
            let mut byte = [0];
            input.read_exact(&mut byte).await?;
            if byte != [ADMITTED] {
                return Err(io::ErrorKind::InvalidData.into());
            }
            Ok((input, output))
        };
        timeout(self.open_timeout, accept).await?
    }

    async fn drain(&self, mut input: ReadHalf<Stream>, output: WriteHalf<Stream>) -> io::Error {
        // Nothing more arrives on this side. Without the read, a stream that the peer dropped would
        // swallow the next frame before anyone notices.
        let mut byte = [0];
        tokio::select! {
            Err(error) = self.pump(output) => error,
            _ = input.read(&mut byte) => io::ErrorKind::ConnectionReset.into(),
        }
    }

    /// Writes frames as they come; ends by an error only.
    async fn pump(&self, output: WriteHalf<Stream>) -> io::Result<Infallible> {
        let queue = self.link.queue(self.class);
        let mut out = BufWriter::with_capacity(BUFFER_BYTES, output);
        loop {
            let frame = match queue.try_pop() {
                Some(frame) => frame,
                None => {
                    out.flush().await?;
                    queue.pop().await
                }
            };
            let Some(header) = frame::header(frame.channel, frame.bytes.len()) else {
                continue; // The sender's limit is far below four bytes of length.
            };
            out.write_all(&header).await?;
            out.write_all(frame.bytes.as_ref()).await?;
            self.counters.frame_out(self.class, frame.bytes.len());
        }
    }
}

/// The receiving side of one stream.
pub(crate) struct Reader {
    pub(crate) from: PublicKey,
    pub(crate) class: Class,
    pub(crate) channels: Channels,
    pub(crate) max_message: usize,
    pub(crate) counters: Arc<Counters>,
}

impl Reader {
    /// Reads frames until the stream fails, the peer breaks the rules, or a consumer is gone.
    pub(crate) async fn run(self, mut stream: Stream) {
        let accepted = async {
            stream.write_all(&[ADMITTED]).await?;
            stream.flush().await
        };
        let result = match accepted.await {
            Ok(()) => self.deliver(BufReader::with_capacity(BUFFER_BYTES, stream)).await,
            Err(error) => Err(error.into()),
        };
        let (from, class) = (&self.from, self.class);
        match result {
            Ok(()) => tracing::debug!(%from, ?class, "consumer of a channel is gone"),
            Err(FrameError::Io(error)) => tracing::debug!(%from, ?class, %error, "inbound stream ended"),
            Err(error) => {
                self.counters.frames_invalid.add(1);
                tracing::warn!(%from, ?class, %error, "inbound stream closed: peer breaks the rules");
            }
        }
    }

    async fn deliver(&self, mut input: BufReader<Stream>) -> Result<(), FrameError> {
        let mut allowance = HashMap::new();
        let class_of = |channel: u8| self.channels.get(&channel).map(|c| c.class);
        loop {
            let Frame { channel, bytes } =
                frame::read(&mut input, self.class, self.max_message, class_of).await?;
            let Some(inbound) = self.channels.get(&channel) else {
                return Ok(());
            };
            self.counters.frame_in(self.class, bytes.len());
            pace(&mut allowance, channel, &inbound.quota).await;
            if !self.hand_over(channel, inbound, (self.from.clone(), bytes)).await {
                return Ok(());
            }
        }
    }

    /// Returns `false` if the consumer is gone.
    async fn hand_over(
        &self,
        channel: u8,
        to: &Inbound,
        message: commonware_p2p::Message<PublicKey>,
    ) -> bool {
        match self.class {
            // Never let one slow channel hold up the others: drop the arrival.
            Class::Urgent => match to.queue.try_send(message) {
                Ok(()) => true,
                Err(TrySendError::Closed(_)) => false,
                Err(TrySendError::Full(_)) => {
                    self.counters.frames_dropped_in.add(1);
                    tracing::debug!(from = %self.from, channel, "urgent frame dropped: consumer too slow");
                    true
                }
            },
            Class::Bulk => to.queue.send(message).await.is_ok(),
        }
    }
}

/// Waits as long as the channel's quota asks, which pushes back on the peer.
async fn pace(allowance: &mut HashMap<u8, Bucket>, channel: u8, quota: &Quota) {
    let now = Instant::now();
    let bucket = match allowance.entry(channel) {
        Entry::Occupied(entry) => entry.into_mut(),
        Entry::Vacant(entry) => entry.insert(Bucket::new(quota, 1, now)),
    };
    let wait = bucket.take(now);
    if !wait.is_zero() {
        sleep(wait).await;
    }
}
