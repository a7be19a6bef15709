// SPDX-License-Identifier: Apache-2.0

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// What the command line asks for; server and client share most of it.
#[derive(Clone)]
pub struct Settings {
    pub listen: SocketAddr,
    pub dir: PathBuf,
    pub cert: PathBuf,
    pub key: PathBuf,
    pub retry: bool,
    pub close_code: Option<u64>,
    pub alpn: String,
    pub connect: SocketAddr,
    pub authority: String,
    pub cacert: PathBuf,
    pub parallel: usize,
    pub output_dir: PathBuf,
    pub linger: Duration,
    pub ciphers: String,
    pub key_update: Option<u64>,
    pub idle_timeout: Duration,
    pub keylog: Option<PathBuf>,
    pub paths: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        Settings {
            listen: loopback,
            dir: ".".into(),
            cert: PathBuf::new(),
            key: PathBuf::new(),
            retry: false,
            close_code: None,
            alpn: "h3,hq-interop".into(),
            connect: loopback,
            authority: "localhost".into(),
            cacert: PathBuf::new(),
            parallel: 100,
            output_dir: ".".into(),
            linger: Duration::ZERO,
            ciphers: String::new(),
            key_update: None,
            idle_timeout: Duration::from_secs(30),
            keylog: None,
            paths: Vec::new(),
        }
    }
}

impl Settings {
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut settings = Settings::default();
        while let Some(argument) = arguments.next() {
            if !argument.starts_with("--") {
                settings.paths.push(argument);
            } else if argument == "--retry" {
                settings.retry = true;
            } else {
                let value = arguments
                    .next()
                    .ok_or(format!("{argument} wants a value"))?;
                settings.set(&argument, &value)?;
            }
        }
        Ok(settings)
    }

    fn set(&mut self, flag: &str, value: &str) -> Result<(), String> {
        match flag {
            "--listen" => self.listen = number(flag, value)?,
            "--dir" => self.dir = value.into(),
            "--cert" => self.cert = value.into(),
            "--key" => self.key = value.into(),
            "--close-code" => self.close_code = Some(code(value)?),
            "--alpn" => self.alpn = value.into(),
            "--connect" => self.connect = number(flag, value)?,
            "--authority" => self.authority = value.into(),
            "--cacert" => self.cacert = value.into(),
            "--parallel" => self.parallel = number(flag, value)?,
            "--output-dir" => self.output_dir = value.into(),
            "--paths-file" => self.paths.extend(lines_of(value)?),
            "--linger" => self.linger = Duration::from_secs_f64(number(flag, value)?),
            "--ciphers" => self.ciphers = value.into(),
            "--key-update" => self.key_update = Some(number(flag, value)?),
            "--idle-timeout" => self.idle_timeout = Duration::from_secs_f64(number(flag, value)?),
            "--qlog" => {} // quinn's qlog would double what has to be compiled
            "--keylog" => self.keylog = Some(value.into()),
            _ => return Err(format!("unknown flag {flag}")),
        }
        Ok(())
    }

    pub fn protocols(&self) -> Vec<Vec<u8>> {
        self.alpn
            .split(',')
            .map(|name| name.as_bytes().to_vec())
            .collect()
    }
}

fn number<T: FromStr>(flag: &str, value: &str) -> Result<T, String> {
    value
        .parse()
        .map_err(|_| format!("{flag}: not understood: {value}"))
}

fn code(value: &str) -> Result<u64, String> {
    let parsed = match value.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => value.parse(),
    };
    parsed.map_err(|_| format!("--close-code: not understood: {value}"))
}

fn lines_of(path: &str) -> Result<Vec<String>, String> {
    let text = std::fs::read_to_string(path).map_err(|why| format!("{path}: {why}"))?;
    Ok(text.split_whitespace().map(String::from).collect())
}
