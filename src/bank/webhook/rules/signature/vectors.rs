//! Test vectors: bodies, and the signatures that belong to them.

use crate::bank::webhook::rules::{Headers, Provider};
use serde_json::json;

pub struct Vector {
    pub provider: Provider,
    pub secret: &'static [u8],
    /// The header that has the signature; none where the body has it.
    pub header: Option<&'static str>,
    pub signature: &'static str,
    pub body: &'static str,
}

/// Published by Moota.
pub const M1: Vector = Vector {
    provider: Provider::Moota,
    secret: b"FcZnoVBN",
    header: Some("Signature"),
    signature: "48fd0e1eecf65f66196aa1e37a68b0139f8cf29bc5788dd63be6a6b5057cf166",
    body: r#"[{"account_number":"235264741","date":"2021-10-05 10:25:16","description":"buy other food","note":"","amount":100123,"type":"CR","balance":0,"updated_at":"2021-10-05 10:25:16","created_at":"2021-10-05 10:25:16","mutation_id":"aolk4PekJxM","token":"aolk4PekJxM","bank_id":"VLagzqBj42D","taggings":[],"bank":{"corporate_id":null,"username":"cartwright.dena","atas_nama":"Moota","balance":"100123.00","account_number":"235264741","bank_type":"bca","login_retry":0,"date_from":"2021-09-24 00:00:00","date_to":"2021-09-24 00:00:00","meta":null,"interval_refresh":15,"next_queue":"2021-09-24 11:16:57","is_active":true,"in_queue":0,"in_progress":0,"recurred_at":"2021-09-25 11:01:57","created_at":"2021-09-24 11:01:57","token":"VLagzqBj42D","bank_id":"VLagzqBj42D","label":"BCA","last_update":"2021-09-24T03:46:57.000000Z"}}]"#,
};

/// Published by Moota; the number of the account and the amount have their other forms.
pub const M3: Vector = Vector {
    provider: Provider::Moota,
    secret: b"secret-token",
    header: Some("Signature"),
    signature: "e717ca2bf26ccaffa5633f56e6493dad309f2a0190581ced69de6b295155e616",
    body: r#"[{"account_number":4966821,"date":"2024-02-07 20:14:33","description":"Test aja","amount":"10000","type":"CR","balance":520000,"updated_at":"2024-02-07 20:14:33","created_at":"2024-02-07 20:14:33","mutation_id":"6192242","token":"secret-token","bank_id":"2219812"}]"#,
};

/// From the example of Midtrans.
pub const D1: Vector = Vector {
    provider: Provider::Midtrans,
    secret: b"askvnoibnosifnboseofinbofinfgbiufglnbfg",
    header: None,
    signature: "edc076b21793ebe3e17926350f5b8ae67d902fe657b3d0aa31b932d5c127e2375d308a2bc94f3265ac2d80a1f181a79b997ac178a236fcff35af263fc4d4c231",
    body: r#"{"transaction_time":"2026-11-21 10:00:00","transaction_status":"settlement","transaction_id":"t-1","status_code":"200","signature_key":"edc076b21793ebe3e17926350f5b8ae67d902fe657b3d0aa31b932d5c127e2375d308a2bc94f3265ac2d80a1f181a79b997ac178a236fcff35af263fc4d4c231","payment_type":"bank_transfer","order_id":"1111","gross_amount":"100000.00","currency":"IDR"}"#,
};

/// BRI's shape.
pub const S4: Vector = Vector {
    provider: Provider::SnapBri,
    secret: b"testsecret",
    header: Some("X-SIGNATURE"),
    signature: "aOt/r+VN10WMUxtZIYNaR+6bzRBdD0qe9Q83tY+78MnqT3hmM2UJ+qrIHpfNWxcWbsTNeeRQ/ovCvi0wd3TIIA==",
    body: r#"{"partnerServiceId":"   77777","customerNo":"0000000000123","virtualAccountNo":"   777770000000000123","paymentRequestId":"20260101000001","trxDateTime":"2026-01-01T10:00:00+07:00","additionalInfo":{"idApp":"TEST","passApp":"TEST","paymentAmount":"50123.00","terminalId":"1","bankId":"002"}}"#,
};
pub const S4_BODY_SHA256: &str = "4e1fdfe2f42fe09db935b482991eefee172ae0d113825e8c7eea68719e7cc9f2";

/// Published for SNAP: what is signed, and the signature.
pub const S1_SECRET: &[u8] = b"fdppqbF5wq7vVegyvsV1CROMv646nJ7A";
pub const S1_SIGNED: &str = "POST:/v1.0/debit/payment-host-to-host:gp9HjjEj813Y9JGoqwOeOPWbnt4CupvIJbU1Mmu4a11MNDZ7Sg5u9a:56fa5f4999ad8014de49d7898c1d1d53472569db8999de3c1b752a0dd181e98c:2020-01-01T00:00:00+07:00";
pub const S1_SIGNATURE: &str =
    "FSlidRHe4ow9qppNifGVQNcdv67lBjgCiP0BHylh+IKXo4fs2rHaGsFNUY0N8t0rPlZs4iAHAOCDklnCccwuJw==";

/// A static token: there is nothing to compute. The body is the one of a payout.
pub const X1: Vector = Vector {
    provider: Provider::Xendit,
    secret: b"xendit-callback-token-0123456789",
    header: Some("x-callback-token"),
    signature: "xendit-callback-token-0123456789",
    body: r#"{"event":"payout.succeeded","business_id":"5f27a14a9bf05c73dd040bc8","created":"2025-01-01T23:55:59Z","data":{"id":"disb-571f3644d2b4edf0745e9703","amount":10000,"channel_code":"ID_BCA","currency":"IDR","status":"SUCCEEDED","description":"July payout","reference_id":"myref-1482928194","created":"2024-12-31T23:53:59Z","updated":"2024-12-31T23:53:59Z","estimated_arrival_time":"2024-12-31T23:59:59Z","business_id":"6018306aa16ad90cb3c43ba7","channel_properties":{"account_number":"000000000099","account_holder_name":"Michael Chen"}}}"#,
};

pub const ALL: [&Vector; 5] = [&M1, &M3, &D1, &X1, &S4];

impl Vector {
    /// The headers that such a webhook comes with, but another signature.
    pub fn headers_with(&self, signature: &str) -> Headers {
        let mut headers = json!({
            "Content-Type": "application/json",
            "Authorization": "Bearer testtoken",
            "X-TIMESTAMP": "2026-01-01T10:00:05+07:00",
            ":method": "POST",
            ":path": "/snap/v1.0/transfer-va/notify-payment-intrabank",
        });
        if let Some(name) = self.header {
            headers[name] = signature.into();
        }
        Headers::parse(&headers).unwrap()
    }

    pub fn headers(&self) -> Headers {
        self.headers_with(self.signature)
    }
}
