//! The calls of an instance that reports to a Federation Service.
use super::{Client, ClientError, Request};
use crate::presence::{Heartbeat, PROJECTS, Project, heartbeat_path};
use serde::Serialize;

const JSON: &str = "application/json";

impl Client {
    /// Tells a Federation Service that a project is there.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::status`] is 404 if the service does not know the project.
    pub fn beat(&self, heartbeat: &Heartbeat) -> Result<(), ClientError> {
        self.hand_in(&heartbeat_path(&heartbeat.project_slug), heartbeat)
    }

    /// Makes a project known to a Federation Service.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::status`] is 409 if somebody else has that slug.
    pub fn register(&self, project: &Project) -> Result<(), ClientError> {
        self.hand_in(PROJECTS, project)
    }

    /// Sends a body of which only whether it was taken is of interest.
    fn hand_in(&self, path: &str, body: &impl Serialize) -> Result<(), ClientError> {
        let bytes = serde_json::to_vec(body).map_err(|source| ClientError::Decode {
            url: self.url(path),
            source,
        })?;
        self.send(&Request::post(path, JSON, &bytes)).map(drop)
    }
}
