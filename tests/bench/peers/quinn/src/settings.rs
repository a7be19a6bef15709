// SPDX-License-Identifier: Apache-2.0

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::Failure;

/// What the command line asks for; every mode takes its part of it.
#[derive(Clone)]
pub struct Settings {
    pub cert: PathBuf,
    pub key: PathBuf,
    pub connect: SocketAddr,
    pub group: String,
    pub datagram: u16,
    pub window: u32,
    pub socket_buffer: usize,
    pub multi_thread: bool,
    pub bytes: u64,
    pub count: usize,
    pub parallel: usize,
    pub time: Duration,
}

impl Settings {
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut settings = Settings {
            cert: PathBuf::new(),
            key: PathBuf::new(),
            connect: SocketAddr::from(([127, 0, 0, 1], 0)),
            group: "X25519".into(),
            datagram: 1452,
            window: 16 << 20,
            socket_buffer: 4 << 20,
            multi_thread: false,
            bytes: 1 << 20,
            count: 1000,
            parallel: 1,
            time: Duration::from_secs(1),
        };
        while let Some(flag) = arguments.next() {
            let value = arguments
                .next()
                .ok_or_else(|| format!("{flag} wants a value"))?;
            settings.set(&flag, &value)?;
        }
        Ok(settings)
    }

    fn set(&mut self, flag: &str, value: &str) -> Result<(), Failure> {
        match flag {
            "--cert" => self.cert = value.into(),
            "--key" => self.key = value.into(),
            "--connect" => self.connect = parsed(flag, value)?,
            "--group" => self.group = value.into(),
            "--datagram" => self.datagram = parsed(flag, value)?,
            "--window" => self.window = parsed(flag, value)?,
            "--socket-buffer" => self.socket_buffer = parsed(flag, value)?,
            "--runtime" => self.multi_thread = value == "multi",
            "--bytes" => self.bytes = parsed(flag, value)?,
            "--count" => self.count = parsed(flag, value)?,
            "--parallel" => self.parallel = parsed(flag, value)?,
            "--seconds" => self.time = Duration::from_secs_f64(parsed(flag, value)?),
            _ => return Err(format!("unknown flag {flag}").into()),
        }
        Ok(())
    }
}

fn parsed<T: FromStr>(flag: &str, value: &str) -> Result<T, Failure> {
    value
        .parse()
        .map_err(|_| format!("{flag}: not understood: {value}").into())
}
