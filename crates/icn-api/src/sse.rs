//! Server-sent events: how an [`EventRecord`] is written to a stream, and read from one.
//!
//! Each event is `id: <number>`, `event: <kind>` and `data: <JSON>`. Lines that begin with a colon keep the
//! connection alive and mean nothing.
use icn_model::EventRecord;

/// The longest line that is read; an event is far smaller.
const MAX_LINE_BYTES: usize = 1 << 20;

/// What a server writes between events so that proxies keep the connection open.
pub const KEEP_ALIVE: &str = ": keep-alive\n\n";

/// The text of one event.
///
/// # Errors
/// The JSON encoder's, which has none for this type.
pub fn encode(record: &EventRecord) -> Result<String, serde_json::Error> {
    let data = serde_json::to_string(record)?;
    Ok(format!(
        "id: {}\nevent: {}\ndata: {data}\n\n",
        record.number,
        record.event.kind().name()
    ))
}

/// Why a stream is not one of events.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// A line without end.
    #[error("a line of the event stream is longer than {MAX_LINE_BYTES} bytes")]
    Line,
    /// The data is not an event.
    #[error("the event stream has data that is no event: {0}")]
    Data(#[from] serde_json::Error),
}

/// Puts events together from the lines of a stream.
#[derive(Debug, Default)]
pub struct Decoder {
    data: String,
}

impl Decoder {
    /// Takes the next line, with or without its end; gives the event that it completes, if any.
    ///
    /// # Errors
    /// [`StreamError`]; the stream is of no use then.
    pub fn line(&mut self, line: &str) -> Result<Option<EventRecord>, StreamError> {
        let line = line.trim_end_matches(['\n', '\r']);
        if line.is_empty() {
            if self.data.is_empty() {
                return Ok(None);
            }
            let data = std::mem::take(&mut self.data);
            return Ok(Some(serde_json::from_str(&data)?));
        }
        if let Some(data) = line.strip_prefix("data:") {
            if self.data.len() + data.len() > MAX_LINE_BYTES {
                return Err(StreamError::Line);
            }
            if !self.data.is_empty() {
                self.data.push('\n');
            }
            self.data.push_str(data.strip_prefix(' ').unwrap_or(data));
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use icn_model::{Digest, EpochNumber, Event, Height, Time};

    fn record(number: u64) -> EventRecord {
        EventRecord {
            number,
            height: Height::new(3),
            time: Time::new(5),
            event: Event::SeatsFixed {
                epoch: EpochNumber::new(1),
                seats: vec![],
            },
            previous: Digest::ZERO,
        }
    }

    fn decoded(text: &str) -> Result<Vec<EventRecord>, StreamError> {
        let mut decoder = Decoder::default();
        text.split_inclusive('\n')
            .filter_map(|line| decoder.line(line).transpose())
            .collect()
    }

    #[test]
    fn events_come_back_between_comments() {
        let text = format!(
            "{KEEP_ALIVE}{}{KEEP_ALIVE}{}",
            encode(&record(1)).unwrap(),
            encode(&record(2)).unwrap()
        );
        assert!(text.contains("id: 1\nevent: epoch\ndata: {"));
        assert_eq!(decoded(&text).unwrap(), [record(1), record(2)]);
        assert_eq!(
            decoded(&text.replace('\n', "\r\n")).unwrap(),
            [record(1), record(2)]
        );
    }

    #[test]
    fn data_may_span_lines_and_an_unfinished_event_is_none() {
        let json = serde_json::to_string_pretty(&record(7)).unwrap();
        let lines: String = json.lines().map(|line| format!("data: {line}\n")).collect();
        assert_eq!(decoded(&format!("{lines}\n")).unwrap(), [record(7)]);
        assert!(decoded(&lines).unwrap().is_empty());
        assert!(matches!(decoded("data: nonsense\n\n"), Err(StreamError::Data(_))));
    }
}
