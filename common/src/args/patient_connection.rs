use std::array;

use clap::Args;
use iot_client::{Auth, Client, ClientOptions, Event, Events};

use super::ConnectionArgs;
use crate::error::Error;

/// [`ConnectionArgs`], for a program that may be there before its network is.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection")]
pub struct PatientConnectionArgs {
    /// Where to connect, and how MQTT is spoken there.
    #[command(flatten)]
    pub connection: ConnectionArgs,

    /// Try until there is a first connection, as a device does that boots before its network; without it a first
    /// attempt that fails ends the run. What no attempt can mend does so in any case.
    #[arg(long, alias = "wait_for_network")]
    pub wait_for_network: bool,
}

impl PatientConnectionArgs {
    /// As [`ConnectionArgs::options`].
    ///
    /// # Errors
    ///
    /// The same.
    pub fn options(&self, auth: Auth) -> Result<ClientOptions, Error> {
        self.connection.options(auth)
    }

    /// The settings of `N` clients, which need a client ID each: their number, from 1, is appended to it. They share
    /// their [timelines](ClientOptions::timelines).
    ///
    /// # Errors
    ///
    /// Those of [`options`](Self::options).
    pub fn options_of_each<const N: usize>(&self, auth: Auth) -> Result<[ClientOptions; N], Error> {
        let options = self.options(auth)?;
        Ok(array::from_fn(|index| {
            let mut options = options.clone();
            options.client_id.push_str(&(index + 1).to_string());
            options
        }))
    }

    /// A client that has a connection, made as the flags say: by the first attempt, or by as many as it takes. The log
    /// tells of those that fail.
    ///
    /// # Errors
    ///
    /// Those of [`Client::connect`]; [`iot_client::Error::Stopped`] with the cause when no further attempt would help.
    pub async fn connect(&self, options: ClientOptions) -> Result<(Client, Events), Error> {
        if !self.wait_for_network {
            return Ok(Client::connect(options).await?);
        }
        let (client, mut events) = Client::start(options).await?;
        loop {
            match events.next().await {
                Some(Event::Connected { .. }) => return Ok((client, events)),
                Some(Event::Stopped { error }) => {
                    return Err(iot_client::Error::Stopped { source: error }.into());
                }
                Some(_) => {}
                None => return Err(iot_client::Error::Stopped { source: None }.into()),
            }
        }
    }
}
