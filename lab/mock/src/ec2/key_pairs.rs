//! Key pairs: real ed25519 keys, made here or brought along.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ssh_key::{Algorithm, PublicKey};

use super::action::{ApiCall, ApiOperation, Resources};
use super::error::{ApiError, KEY_PAIR};
use super::filters::{self, FilterField};
use super::params::Params;
use super::render;
use super::tags;
use super::xml::Xml;
use crate::cloud::{Cloud, KeyPair, ed25519_fingerprint, ids, key_material};

const NEW: Resources = Resources::New { kind: "key-pair", with: &[] };

pub const ACTIONS: &[ApiOperation] = &[
    ApiOperation::describe(
        "DescribeKeyPairs",
        &["KeyName.N", "KeyPairId.N", "IncludePublicKey", "Filter.N.Name", "Filter.N.Value.N"],
        describe,
    ),
    ApiOperation::change(
        "CreateKeyPair",
        NEW,
        &[
            "KeyName",
            "KeyType",
            "KeyFormat",
            "TagSpecification.N.ResourceType",
            "TagSpecification.N.Tag.N.Key",
            "TagSpecification.N.Tag.N.Value",
        ],
        create,
    ),
    ApiOperation::change(
        "ImportKeyPair",
        NEW,
        &[
            "KeyName",
            "PublicKeyMaterial",
            "TagSpecification.N.ResourceType",
            "TagSpecification.N.Tag.N.Key",
            "TagSpecification.N.Tag.N.Value",
        ],
        import,
    ),
    ApiOperation::change(
        "DeleteKeyPair",
        Resources::Many(&[("key-pair", "KeyName"), ("key-pair", "KeyPairId")]),
        &["KeyName", "KeyPairId"],
        delete,
    ),
];

const FIELDS: &[FilterField<KeyPair>] = &[
    ("fingerprint", |_, pair| vec![pair.fingerprint.clone()]),
    ("key-name", |_, pair| vec![pair.name.clone()]),
    ("key-pair-id", |_, pair| vec![pair.id.clone()]),
];

fn describe(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let (cloud, params) = (&*call.cloud, call.params);
    let mut chosen = render::find_by_ids(&KEY_PAIR, &cloud.key_pairs, &params.list("KeyPairId"))?;
    let names = params.list("KeyName");
    for name in &names {
        by_name(cloud, name)?;
    }
    chosen.retain(|pair| names.is_empty() || names.contains(&pair.name.as_str()));
    let selected = filters::select(cloud, params, FIELDS, Some(|pair| &pair.tags), chosen)?;
    let with_key = params.flag("IncludePublicKey")? == Some(true);
    let mut xml = Xml::new();
    xml.items("keySet", selected, |xml, pair| {
        common(xml, pair);
        xml.leaf("keyType", &pair.key_type);
        if with_key {
            xml.leaf("publicKey", format!("{} {}\n", pair.public_key, pair.name));
        }
        xml.leaf("createTime", render::format_time(pair.created_at));
    });
    Ok(xml)
}

/// The pair of that name.
pub fn by_name<'a>(cloud: &'a Cloud, name: &str) -> Result<&'a KeyPair, ApiError> {
    cloud.key_pairs.values().find(|pair| pair.name == name).ok_or_else(|| {
        ApiError::bad("InvalidKeyPair.NotFound", format!("The key pair '{name}' does not exist"))
    })
}

fn common(xml: &mut Xml, pair: &KeyPair) {
    xml.leaf("keyPairId", &pair.id);
    xml.leaf("keyName", &pair.name);
    xml.leaf("keyFingerprint", &pair.fingerprint);
    render::tag_set(xml, &pair.tags);
}

fn new_name<'a>(cloud: &Cloud, params: &'a Params) -> Result<&'a str, ApiError> {
    let name = params.required("KeyName")?;
    if by_name(cloud, name).is_ok() {
        return Err(ApiError::bad("InvalidKeyPair.Duplicate", "The keypair already exists"));
    }
    if name.len() > 255 || !name.is_ascii() || name.starts_with(' ') || name.ends_with(' ') {
        return Err(ApiError::invalid_value(format!(
            "Value ({name}) for parameter keyName is invalid."
        )));
    }
    Ok(name)
}

/// AWS makes RSA keys where no type is asked for; the mock refuses rather than taking seconds to
/// make one, or handing out something else.
fn create(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let params = call.params;
    let name = new_name(call.cloud, params)?;
    if params.one_of("KeyType", &["rsa", "ed25519"])? != Some("ed25519") {
        return Err(ApiError::unsupported("RSA keys are not made here: ask for KeyType ed25519."));
    }
    if params.one_of("KeyFormat", &["pem", "ppk"])? == Some("ppk") {
        return Err(ApiError::unsupported("PPK is not written here: ask for KeyFormat pem."));
    }
    let tags = tags::read_specified_tags(params, &["key-pair"], "key-pair")?;
    let id = call.cloud.new_id("key");
    let seed = ids::make_bytes(call.cloud.seed, &id);
    let pair = KeyPair::from_seed(id, name, &seed, call.now, tags);
    let mut xml = Xml::new();
    common(&mut xml, &pair);
    xml.leaf("keyMaterial", key_material(&seed, name));
    call.cloud.key_pairs.insert(pair.id.clone(), pair);
    Ok(xml)
}

fn import(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let params = call.params;
    let name = new_name(call.cloud, params)?;
    let key = public_key(params.required("PublicKeyMaterial")?)?;
    let tags = tags::read_specified_tags(params, &["key-pair"], "key-pair")?;
    let pair = KeyPair {
        id: call.cloud.new_id("key"),
        name: name.to_owned(),
        fingerprint: ed25519_fingerprint(&key),
        key_type: "ed25519".to_owned(),
        public_key: key.to_openssh().map_err(|_| bad_key())?,
        created_at: call.now,
        tags,
    };
    let mut xml = Xml::new();
    common(&mut xml, &pair);
    call.cloud.key_pairs.insert(pair.id.clone(), pair);
    Ok(xml)
}

fn public_key(material: &str) -> Result<PublicKey, ApiError> {
    let bytes = STANDARD.decode(material).map_err(|_| bad_key())?;
    let text = String::from_utf8(bytes).map_err(|_| bad_key())?;
    let mut key = PublicKey::from_openssh(text.trim()).map_err(|_| bad_key())?;
    key.set_comment("");
    match key.algorithm() {
        Algorithm::Ed25519 => Ok(key),
        Algorithm::Rsa { .. } => {
            Err(ApiError::unsupported("RSA keys are not taken here: bring an ed25519 key."))
        }
        _ => Err(bad_key()),
    }
}

fn bad_key() -> ApiError {
    ApiError::bad("InvalidKey.Format", "Key is not in valid OpenSSH public key format")
}

/// A pair that is not there is deleted as well, as on AWS.
fn delete(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let (name, id) = (call.params.text("KeyName"), call.params.text("KeyPairId"));
    if name.is_none() && id.is_none() {
        return Err(ApiError::missing("KeyName"));
    }
    let found = call
        .cloud
        .key_pairs
        .values()
        .find(|pair| name == Some(&pair.name) || id == Some(&pair.id))
        .map(|pair| pair.id.clone());
    let mut xml = render::return_true();
    if let Some(id) = found {
        call.cloud.key_pairs.remove(&id);
        xml.leaf("keyPairId", id);
    }
    Ok(xml)
}
