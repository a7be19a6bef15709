// SPDX-License-Identifier: Apache-2.0

use quinn::ConnectionError;

/// Who ended a connection and how.
pub struct Closing {
    by: &'static str,
    space: &'static str,
    code: Option<u64>,
}

impl Closing {
    pub fn of(error: &ConnectionError) -> Self {
        let (by, space, code) = match error {
            ConnectionError::ApplicationClosed(close) => {
                ("peer", "application", Some(close.error_code.into_inner()))
            }
            ConnectionError::ConnectionClosed(close) => {
                ("peer", "transport", Some(close.error_code.into()))
            }
            ConnectionError::TransportError(error) => {
                ("self", "transport", Some(error.code.into()))
            }
            ConnectionError::LocallyClosed => ("self", "application", None),
            _ => ("timeout", "", None),
        };
        Closing { by, space, code }
    }

    pub fn fields(&self) -> String {
        format!(
            r#""by":"{}","space":"{}","code":{}"#,
            self.by,
            self.space,
            or_null(self.code)
        )
    }

    /// What the other side said, for the report of the client.
    pub fn fields_from_peer(&self) -> String {
        let code = if self.by == "peer" { self.code } else { None };
        format!(
            r#""close_code":{},"close_space":"{}""#,
            or_null(code),
            self.space
        )
    }
}

pub fn or_null(value: Option<impl std::fmt::Display>) -> String {
    value.map_or("null".into(), |value| value.to_string())
}

pub fn text_or_null(value: Option<&str>) -> String {
    value.map_or("null".into(), |text| format!("\"{text}\""))
}
