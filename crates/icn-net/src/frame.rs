//! Frames on a consensus stream: one byte of channel, four bytes of length (big endian), then the message.
//! What a message means is not known here.
use crate::{class::Class, queue::Weigh};
use commonware_runtime::IoBuf;
use futures::{AsyncRead, AsyncReadExt as _};
use std::io;

/// Bytes before each message.
pub(crate) const HEADER_BYTES: usize = 5;

/// One message and the channel it belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) channel: u8,
    pub(crate) bytes: IoBuf,
}

impl Weigh for Frame {
    fn bytes(&self) -> usize {
        self.bytes.len()
    }
}

/// Why a stream cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("frame of channel {channel}, which does not travel on {class:?} streams")]
    Channel { channel: u8, class: Class },
    #[error("frame of {bytes} bytes is larger than {max_bytes}")]
    TooLarge { bytes: usize, max_bytes: usize },
}

/// Header of a frame; `None` if the message is longer than four bytes of length can say.
pub(crate) fn header(channel: u8, bytes: usize) -> Option<[u8; HEADER_BYTES]> {
    let [a, b, c, d] = u32::try_from(bytes).ok()?.to_be_bytes();
    Some([channel, a, b, c, d])
}

/// Reads one frame. Memory for the message is taken only after its header passed the checks.
///
/// # Errors
/// A frame that breaks the rules leaves the stream at an unknown place: it must be closed.
pub(crate) async fn read<R: AsyncRead + Unpin>(
    input: &mut R,
    class: Class,
    max_bytes: usize,
    class_of: impl Fn(u8) -> Option<Class>,
) -> Result<Frame, FrameError> {
    let mut header = [0; HEADER_BYTES];
    input.read_exact(&mut header).await?;
    let [channel, length @ ..] = header;
    if class_of(channel) != Some(class) {
        return Err(FrameError::Channel { channel, class });
    }
    let bytes = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if bytes > max_bytes {
        return Err(FrameError::TooLarge { bytes, max_bytes });
    }
    let mut message = vec![0; bytes];
    input.read_exact(&mut message).await?;
    Ok(Frame {
        channel,
        bytes: message.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{executor::block_on, io::Cursor};
    use proptest::prelude::*;

    const MAX: usize = 64;

    fn class_of(channel: u8) -> Option<Class> {
        match channel {
            0..=99 => Some(Class::Urgent),
            100..=199 => Some(Class::Bulk),
            _ => None,
        }
    }

    /// Counts what is asked of it, so that a read of more than the stream may hold is seen.
    fn decode(input: &[u8], class: Class) -> Result<Frame, FrameError> {
        block_on(read(&mut Cursor::new(input), class, MAX, class_of))
    }

    fn encode(channel: u8, message: &[u8]) -> Vec<u8> {
        [&header(channel, message.len()).unwrap()[..], message].concat()
    }

    #[test]
    fn rules_are_checked_before_the_message_is_read() {
        // Nothing follows these headers: an allocation or a read would end in an I/O error instead.
        let huge = header(1, u32::MAX as usize).unwrap();
        assert!(matches!(
            decode(&huge, Class::Urgent),
            Err(FrameError::TooLarge { .. })
        ));
        let over = header(1, MAX + 1).unwrap();
        assert!(
            matches!(decode(&over, Class::Urgent), Err(FrameError::TooLarge { bytes, .. }) if bytes == MAX + 1)
        );
        for channel in [100, 200] {
            let foreign = header(channel, 1).unwrap();
            assert!(matches!(
                decode(&foreign, Class::Urgent),
                Err(FrameError::Channel { .. })
            ));
        }
        assert_eq!(header(0, u32::MAX as usize + 1), None);
    }

    proptest! {
        #[test]
        fn frames_survive(channel in 0u8..100, message in prop::collection::vec(any::<u8>(), 0..=MAX)) {
            let frame = decode(&encode(channel, &message), Class::Urgent).unwrap();
            prop_assert_eq!((frame.channel, frame.bytes.as_ref()), (channel, &message[..]));
        }

        #[test]
        fn a_cut_frame_is_an_error(message in prop::collection::vec(any::<u8>(), 1..=MAX), cut in 0usize..=MAX) {
            let whole = encode(3, &message);
            let cut = cut.min(whole.len() - 1);
            prop_assert!(matches!(decode(&whole[..cut], Class::Urgent), Err(FrameError::Io(_))));
        }

        #[test]
        fn garbage_never_panics_and_stays_bounded(garbage in prop::collection::vec(any::<u8>(), 0..512)) {
            let mut input = Cursor::new(&garbage[..]);
            while let Ok(frame) = block_on(read(&mut input, Class::Bulk, MAX, class_of)) {
                prop_assert!(frame.bytes.len() <= MAX && (100..200).contains(&frame.channel));
            }
        }
    }
}
