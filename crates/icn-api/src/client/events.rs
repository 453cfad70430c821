//! The stream of events: goes on where it was when the connection breaks.
use super::{Client, ClientError, Request};
use crate::{
    EVENT_STREAM,
    events::EventsQuery,
    paths,
    sse::{Decoder, StreamError},
};
use icn_model::EventRecord;
use std::{
    io::{BufRead as _, BufReader, Read as _},
    thread,
    time::Duration,
};
use ureq::BodyReader;

/// The longest line of a stream that is read.
const MAX_LINE_BYTES: u64 = 1 << 20;
/// How often in a row a stream is resumed without an event in between, before the error is told.
const MAX_RESUMES: u32 = 5;
/// Pause before a stream is resumed.
const RESUME_PAUSE: Duration = Duration::from_secs(1);

/// Events as they come. Blocks for the next one; ends only with an error.
pub struct EventStream {
    client: Client,
    query: EventsQuery,
    last: Option<u64>,
    lines: Option<BufReader<BodyReader<'static>>>,
    decoder: Decoder,
    resumes: u32,
}

impl Client {
    /// Follows the events that `query` selects, and those that come after.
    ///
    /// # Errors
    /// [`ClientError`] if the node does not answer with a stream.
    pub fn follow_events(&self, query: EventsQuery) -> Result<EventStream, ClientError> {
        let mut stream = EventStream {
            client: self.clone(),
            query,
            last: None,
            lines: None,
            decoder: Decoder::default(),
            resumes: 0,
        };
        stream.connect()?;
        Ok(stream)
    }
}

impl EventStream {
    fn connect(&mut self) -> Result<(), ClientError> {
        if self.last.is_some() {
            // Where to go on is said by the last event's number.
            self.query.tail = None;
        }
        let request = Request::get(paths::EVENTS).query(&self.query);
        let request = Request {
            accept: EVENT_STREAM,
            last_event: self.last,
            ..request
        };
        let response = self.client.send(&request)?;
        if response.body().mime_type() != Some(EVENT_STREAM) {
            let status = response.status().as_u16();
            let text = "not a stream of events".to_owned();
            return Err(ClientError::Status {
                url: self.client.url(paths::EVENTS),
                status,
                text,
            });
        }
        self.lines = Some(BufReader::new(response.into_body().into_reader()));
        self.decoder = Decoder::default();
        Ok(())
    }

    /// The next event of this connection; none when it has ended.
    fn read(&mut self) -> Result<Option<EventRecord>, ClientError> {
        let Some(lines) = &mut self.lines else {
            return Ok(None);
        };
        let mut line = String::new();
        loop {
            line.clear();
            let read = lines
                .by_ref()
                .take(MAX_LINE_BYTES)
                .read_line(&mut line)
                .map_err(ClientError::Stream)?;
            if read == 0 {
                return Ok(None);
            }
            if !line.ends_with('\n') && read as u64 == MAX_LINE_BYTES {
                return Err(StreamError::Line.into());
            }
            if let Some(record) = self.decoder.line(&line)? {
                self.last = Some(record.number);
                self.resumes = 0;
                return Ok(Some(record));
            }
        }
    }
}

impl Iterator for EventStream {
    type Item = Result<EventRecord, ClientError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let broken = match self.read() {
                Ok(Some(record)) => return Some(Ok(record)),
                Ok(None) => None,
                Err(error @ ClientError::Stream(_)) => Some(error),
                Err(error) => return Some(Err(error)),
            };
            self.lines = None;
            if self.resumes == MAX_RESUMES {
                let ended = || ClientError::Stream(std::io::ErrorKind::UnexpectedEof.into());
                return Some(Err(broken.unwrap_or_else(ended)));
            }
            if self.resumes > 0 {
                thread::sleep(RESUME_PAUSE);
            }
            self.resumes += 1;
            // That the node is away is the next round's to tell, unless it says why.
            match self.connect() {
                Err(error) if !error.is_no_answer() => return Some(Err(error)),
                _ => {}
            }
        }
    }
}
