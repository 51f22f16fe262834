//! The shapes that two scanners publish rules and rule tests for: gitleaks (`cmd/generate/config/
//! rules`) and detect-secrets (`tests/plugins`). Each line names project and rule. No example is
//! copied: each is drawn anew in the rule's shape, and put together here, so that no scanner finds a
//! token in this repository.

use super::Redactor;

/// Alphabets of the rules.
const HEX: &str = "0123456789abcdef";
const LOWER: &str = "abcdefghijklmnopqrstuvwxyz0123456789";
const MIXED: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const WORD: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
const LETTERS: &str = "abcdefghijklmnopqrstuvwxyz";

/// So many of an alphabet, the same for the same number.
fn drawn(alphabet: &str, chars: usize, seed: u64) -> String {
    let letters = alphabet.as_bytes();
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap_or(0)
    };
    (0..chars).map(|_| char::from(letters[next() % letters.len()])).collect()
}

/// The text that a rule's test has around the secret; `@` is its place.
type Carrier = &'static str;

const ALONE: Carrier = "found @ here";
const INI: Carrier = "@";

/// A shape: parts that are joined, of which each is a text or so many letters of an alphabet.
type Shape = &'static [SecretPart];

enum SecretPart {
    Is(&'static str),
    Of(&'static str, usize),
}

use SecretPart::{Is, Of};

/// Project and rule, what stands around, and the secret's shape.
type PublishedRule = (&'static str, Carrier, Shape);

#[rustfmt::skip] // A table: one rule each.
const RULES: &[PublishedRule] = &[
    // By their looks alone.
    ("gitleaks 1password-secret-key", ALONE, &[Is("A3-"), Of(UPPER, 6), Is("-"), Of(UPPER, 11), Is("-"), Of(UPPER, 5), Is("-"), Of(UPPER, 5), Is("-"), Of(UPPER, 5)]),
    ("gitleaks 1password-service-account-token", ALONE, &[Is("ops_ey"), Is("J"), Of(MIXED, 260)]),
    ("gitleaks adobe-client-secret", ALONE, &[Is("p8e-"), Of(LOWER, 32)]),
    ("gitleaks age-secret-key", ALONE, &[Is("AGE-SECRET-"), Is("KEY-1"), Of("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58)]),
    ("gitleaks airtable-personnal-access-token", ALONE, &[Is("pat"), Of(MIXED, 14), Is("."), Of(HEX, 64)]),
    ("gitleaks alibaba-access-key-id", ALONE, &[Is("LTAI"), Of(LOWER, 20)]),
    ("gitleaks anthropic-api-key", ALONE, &[Is("sk-ant-"), Is("api03-"), Of(WORD, 93), Is("AA")]),
    ("gitleaks artifactory-api-key", ALONE, &[Is("AKCp"), Of(MIXED, 69)]),
    ("gitleaks artifactory-reference-token", ALONE, &[Is("cmVmd"), Of(MIXED, 59)]),
    ("gitleaks authress-service-client-access-key", ALONE, &[Is("sc_"), Of(LOWER, 8), Is("."), Of(LOWER, 4), Is(".acc_"), Of(LOWER, 12), Is("."), Of(LOWER, 40)]),
    ("gitleaks aws-access-token", ALONE, &[Is("AK"), Is("IA"), Of(UPPER, 16)]),
    ("gitleaks aws-access-token", ALONE, &[Is("AS"), Is("IA"), Of(UPPER, 16)]),
    ("gitleaks aws-amazon-bedrock-api-key-long-lived", ALONE, &[Is("ABSK"), Of(MIXED, 120)]),
    ("gitleaks aws-amazon-bedrock-api-key-short-lived", ALONE, &[Is("bedrock-api-key-"), Is("YmVkcm9jay5hbWF6b25hd3MuY29t")]),
    ("gitleaks azure-ad-client-secret", ALONE, &[Of(MIXED, 3), Is("8Q~"), Of(MIXED, 31)]),
    ("gitleaks clickhouse-cloud-api-secret-key", ALONE, &[Is("4b1d"), Of(MIXED, 38)]),
    ("gitleaks clojars-api-token", ALONE, &[Is("CLOJARS_"), Of(LOWER, 60)]),
    ("gitleaks cloudflare-origin-ca-key", ALONE, &[Is("v1.0-"), Of(HEX, 24), Is("-"), Of(HEX, 146)]),
    ("gitleaks databricks-api-token", ALONE, &[Is("dapi"), Of(HEX, 32)]),
    ("gitleaks digitalocean-pat", ALONE, &[Is("dop_v1_"), Of(HEX, 64)]),
    ("gitleaks digitalocean-access-token", ALONE, &[Is("doo_v1_"), Of(HEX, 64)]),
    ("gitleaks digitalocean-refresh-token", ALONE, &[Is("dor_v1_"), Of(HEX, 64)]),
    ("gitleaks doppler-api-token", ALONE, &[Is("dp.pt."), Of(LOWER, 43)]),
    ("gitleaks duffel-api-token", ALONE, &[Is("duffel_"), Is("live_"), Of(LOWER, 43)]),
    ("gitleaks dynatrace-api-token", ALONE, &[Is("dt0c01."), Of(LOWER, 24), Is("."), Of(LOWER, 64)]),
    ("gitleaks easypost-api-token", ALONE, &[Is("EZAK"), Of(LOWER, 54)]),
    ("gitleaks facebook-page-access-token", ALONE, &[Is("EAAM"), Of(LOWER, 110)]),
    ("gitleaks flutterwave-secret-key", ALONE, &[Is("FLWSECK_"), Is("TEST-"), Of(HEX, 32), Is("-X")]),
    ("gitleaks flyio-access-token", ALONE, &[Is("fo1_"), Of(WORD, 43)]),
    ("gitleaks frameio-api-token", ALONE, &[Is("fio-u-"), Of(LOWER, 64)]),
    ("gitleaks gcp-api-key", ALONE, &[Is("AI"), Is("za"), Of(WORD, 35)]),
    ("gitleaks github-pat", ALONE, &[Is("gh"), Is("p_"), Of(MIXED, 36)]),
    ("gitleaks github-oauth", ALONE, &[Is("gh"), Is("o_"), Of(MIXED, 36)]),
    ("gitleaks github-app-token", ALONE, &[Is("gh"), Is("s_"), Of(MIXED, 36)]),
    ("gitleaks github-refresh-token", ALONE, &[Is("gh"), Is("r_"), Of(MIXED, 36)]),
    ("gitleaks github-fine-grained-pat", ALONE, &[Is("github_"), Is("pat_"), Of(MIXED, 82)]),
    ("gitleaks gitlab-pat", ALONE, &[Is("gl"), Is("pat-"), Of(WORD, 20)]),
    ("gitleaks gitlab-deploy-token", ALONE, &[Is("gl"), Is("dt-"), Of(WORD, 20)]),
    ("gitleaks gitlab-ptt", ALONE, &[Is("gl"), Is("ptt-"), Of(HEX, 40)]),
    ("gitleaks gitlab-rrt", ALONE, &[Is("GR"), Is("1348941"), Of(WORD, 20)]),
    ("gitleaks gitlab-cicd-job-token", ALONE, &[Is("gl"), Is("cbt-"), Of(MIXED, 5), Is("_"), Of(WORD, 20)]),
    ("gitleaks gitlab-kubernetes-agent-token", ALONE, &[Is("gl"), Is("agent-"), Of(WORD, 50)]),
    ("gitleaks gitlab-session-cookie", INI, &[Is("_gitlab_session="), Of(LOWER, 32)]),
    ("gitleaks grafana-api-key", ALONE, &[Is("ey"), Is("JrIjoi"), Of(MIXED, 80)]),
    ("gitleaks grafana-cloud-api-token", ALONE, &[Is("gl"), Is("c_"), Of(MIXED, 60)]),
    ("gitleaks grafana-service-account-token", ALONE, &[Is("gl"), Is("sa_"), Of(MIXED, 32), Is("_"), Of(HEX, 8)]),
    ("gitleaks harness-api-key", ALONE, &[Is("pat."), Of(MIXED, 22), Is("."), Of(MIXED, 24), Is("."), Of(MIXED, 20)]),
    ("gitleaks hashicorp-tf-api-token", ALONE, &[Of(LOWER, 14), Is(".atlasv1."), Of(LOWER, 66)]),
    ("gitleaks heroku-api-key-v2", ALONE, &[Is("HRKU-"), Is("AA"), Of(WORD, 58)]),
    ("gitleaks huggingface-access-token", ALONE, &[Is("hf"), Is("_"), Of(LETTERS, 34)]),
    ("gitleaks infracost-api-token", ALONE, &[Is("ico-"), Of(MIXED, 32)]),
    ("gitleaks intra42-client-secret", ALONE, &[Is("s-s4t2"), Is("ud-"), Of(HEX, 64)]),
    ("gitleaks jwt", ALONE, &[Is("ey"), Is("J"), Of(MIXED, 30), Is(".ey"), Is("J"), Of(MIXED, 30), Is("."), Of(WORD, 40)]),
    ("gitleaks linear-api-key", ALONE, &[Is("lin_"), Is("api_"), Of(LOWER, 40)]),
    ("gitleaks maxmind-license-key", ALONE, &[Of(MIXED, 6), Is("_"), Of(MIXED, 29), Is("_mmk")]),
    ("gitleaks npm-access-token", ALONE, &[Is("npm"), Is("_"), Of(LOWER, 36)]),
    ("gitleaks octopus-deploy-api-key", ALONE, &[Is("API-"), Of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 26)]),
    ("gitleaks openai-api-key", ALONE, &[Is("sk-"), Is("proj-"), Of(WORD, 58), Is("T3BlbkFJ"), Of(WORD, 58)]),
    ("gitleaks openshift-user-token", ALONE, &[Is("sha256~"), Of(WORD, 43)]),
    ("gitleaks perplexity-api-key", ALONE, &[Is("pplx-"), Of(MIXED, 48)]),
    ("gitleaks planetscale-password", ALONE, &[Is("pscale_"), Is("pw_"), Of(WORD, 40)]),
    ("gitleaks postman-api-token", ALONE, &[Is("PMAK-"), Of(HEX, 24), Is("-"), Of(HEX, 34)]),
    ("gitleaks prefect-api-token", ALONE, &[Is("pnu_"), Of(MIXED, 36)]),
    ("gitleaks pulumi-api-token", ALONE, &[Is("pul-"), Of(HEX, 40)]),
    ("gitleaks pypi-upload-token", ALONE, &[Is("pypi-"), Is("AgEIcHlwaS5vcmc"), Of(WORD, 80)]),
    ("gitleaks readme-api-token", ALONE, &[Is("rdme_"), Of(LOWER, 70)]),
    ("gitleaks rubygems-api-token", ALONE, &[Is("rubygems_"), Of(HEX, 48)]),
    ("gitleaks scalingo-api-token", ALONE, &[Is("tk-us-"), Of(WORD, 48)]),
    ("gitleaks sendgrid-api-token", ALONE, &[Is("SG."), Of(LOWER, 66)]),
    ("gitleaks sendinblue-api-token", ALONE, &[Is("xkeysib-"), Of(HEX, 64), Is("-"), Of(LOWER, 16)]),
    ("gitleaks sentry-user-token", ALONE, &[Is("sntryu_"), Of(HEX, 64)]),
    ("gitleaks settlemint-personal-access-token", ALONE, &[Is("sm_"), Is("pat_"), Of(MIXED, 16)]),
    ("gitleaks shippo-api-token", ALONE, &[Is("shippo_"), Is("live_"), Of(HEX, 40)]),
    ("gitleaks shopify-access-token", ALONE, &[Is("shp"), Is("at_"), Of(HEX, 32)]),
    ("gitleaks shopify-shared-secret", ALONE, &[Is("shp"), Is("ss_"), Of(HEX, 32)]),
    ("gitleaks slack-bot-token", ALONE, &[Is("xo"), Is("xb-"), Of("0123456789", 12), Is("-"), Of("0123456789", 12), Is("-"), Of(MIXED, 24)]),
    ("gitleaks slack-user-token", ALONE, &[Is("xo"), Is("xp-"), Of("0123456789", 12), Is("-"), Of("0123456789", 12), Is("-"), Of("0123456789", 12), Is("-"), Of(MIXED, 30)]),
    ("gitleaks slack-app-token", ALONE, &[Is("xa"), Is("pp-1-"), Of(UPPER, 11), Is("-"), Of("0123456789", 12), Is("-"), Of(HEX, 64)]),
    ("gitleaks slack-webhook-url", ALONE, &[Is("https://hooks.slack"), Is(".com/services/"), Of(UPPER, 9), Is("/"), Of(UPPER, 9), Is("/"), Of(MIXED, 24)]),
    ("gitleaks sourcegraph-access-token", ALONE, &[Is("sgp_"), Of(HEX, 16), Is("_"), Of(HEX, 40)]),
    ("gitleaks square-access-token", ALONE, &[Is("sq0"), Is("atp-"), Of(WORD, 22)]),
    ("gitleaks square-secret", ALONE, &[Is("sq0"), Is("csp-"), Of(WORD, 43)]),
    ("gitleaks stripe-access-token", ALONE, &[Is("sk_"), Is("live_"), Of(MIXED, 30)]),
    ("gitleaks telegram-bot-api-token", "telegram_api_token = \"@\"", &[Of("123456789", 10), Is(":A"), Of(WORD, 34)]),
    ("gitleaks twilio-api-key", ALONE, &[Is("SK"), Of(HEX, 32)]),
    ("gitleaks vault-service-token", ALONE, &[Is("hv"), Is("s."), Of(WORD, 95)]),
    ("gitleaks vault-batch-token", ALONE, &[Is("hv"), Is("b."), Of(WORD, 140)]),
    ("gitleaks microsoft-teams-webhook", ALONE, &[Is("https://x.webhook.office"), Is(".com/webhookb2/"), Of(HEX, 8), Is("-0000-0000-0000-"), Of(HEX, 12), Is("@"), Of(HEX, 8), Is("/IncomingWebhook/"), Of(LOWER, 32)]),
    // By what is around them: gitleaks' samples of each rule with an identifier.
    ("gitleaks adafruit-api-key, ini", "adafruitToken = \"@\"", &[Of(WORD, 32)]),
    ("gitleaks airtable-api-key, ini unquoted", "airtableToken=@", &[Of(MIXED, 17)]),
    ("gitleaks algolia-api-key, json", "{\n    \"algolia_token\": \"@\"\n}", &[Of(LOWER, 32)]),
    ("gitleaks asana-client-secret, json with a newline", "{\"config.ini\": \"ASANA_TOKEN=@\\nBACKUP_ENABLED=true\"}", &[Of(LOWER, 32)]),
    ("gitleaks beamer-api-token, xml", "<beamerToken>\n    @\n</beamerToken>", &[Is("b_"), Of(LOWER, 44)]),
    ("gitleaks bitbucket-client-secret, yaml", "bitbucket_token: @", &[Of(WORD, 64)]),
    ("gitleaks bittrex-secret-key, yaml in quotes", "bittrex_token: '@'", &[Of(LOWER, 32)]),
    ("gitleaks codecov-access-token, C#", "string codecovToken = \"@\";", &[Of(LOWER, 32)]),
    ("gitleaks confluent-secret-key, go", "var confluentToken string = \"@\"", &[Of(LOWER, 64)]),
    ("gitleaks datadog-access-token, go", "datadogToken := `@`", &[Of(LOWER, 40)]),
    ("gitleaks discord-api-token, php", "$discordToken .= \"@\"", &[Of(HEX, 64)]),
    ("gitleaks droneci-access-token, python", "droneciToken = '@'", &[Of(LOWER, 32)]),
    ("gitleaks etsy-access-token, call", "System.setProperty(\"ETSY_TOKEN\", \"@\")", &[Of(LOWER, 24)]),
    ("gitleaks fastly-api-token, logstash", "  \"fastlyToken\" => \"@\"", &[Of(WORD, 32)]),
    ("gitleaks finnhub-access-token, make", "finnhub_TOKEN ::= \"@\"", &[Of(LOWER, 20)]),
    ("gitleaks freshbooks-access-token, make", "freshbooks_TOKEN ?= \"@\"", &[Of(LOWER, 64)]),
    ("gitleaks freemius-secret-key", "\"secret_key\" => \"@\"", &[Is("sk_"), Of(MIXED, 29)]),
    ("gitleaks hashicorp-tf-password", "administrator_login_password = \"@\"", &[Of(WORD, 16)]),
    ("gitleaks kubernetes-secret-yaml", "kind: Secret\ndata:\n  password: @\n", &[Of(MIXED, 24), Is("==")]),
    ("gitleaks nuget-config-password", "<add key=\"ClearTextPassword\" value=\"@\" />", &[Of(MIXED, 12)]),
    ("gitleaks sidekiq-sensitive-url", "https://@gems.contribsys.com/", &[Of(HEX, 8), Is(":"), Of(HEX, 8), Is("@")]),
    ("gitleaks curl-auth-user", "curl -sS --user @ https://example.com", &[Of(LETTERS, 5), Is(":"), Of(MIXED, 14)]),
    ("gitleaks curl-auth-header", "curl -H 'Authorization: Bearer @' https://example.com", &[Of(MIXED, 30)]),
    ("gitleaks curl-auth-header", "curl -H \"Private-Token: @\" https://example.com", &[Of(MIXED, 20)]),
    ("gitleaks private-key", "-----BEGIN RSA PRIVATE KEY-----\n@\n-----END RSA PRIVATE KEY-----", &[Of(MIXED, 70)]),
    ("gitleaks private-key", "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n@\n-----END PGP PRIVATE KEY BLOCK-----", &[Of(MIXED, 70)]),
    ("gitleaks generic-api-key", "some_access_key: \"@\"", &[Of(MIXED, 24)]),
    ("gitleaks generic-api-key", "credentials = \"@\"", &[Of(MIXED, 24)]),
    ("detect-secrets artifactory", "X-JFrog-Art-Api-Key: @", &[Is("AK"), Is("C"), Of(MIXED, 12)]),
    ("detect-secrets artifactory", "artifactoryx:_password=@", &[Is("AP"), Is("6"), Of(MIXED, 12)]),
    ("detect-secrets aws", "aws_secret_key = \"@\"", &[Of(MIXED, 40)]),
    ("detect-secrets azure_storage_key", "AccountKey=@", &[Of(MIXED, 86), Is("==")]),
    ("detect-secrets basic_auth", "https://username:@@example.com", &[Of(MIXED, 10)]),
    ("detect-secrets cloudant", "cloudant_password = \"@\"", &[Of(HEX, 64)]),
    ("detect-secrets cloudant", "https://user:@@user.cloudant.com", &[Of(HEX, 64)]),
    ("detect-secrets ibm_cloud_iam", "ibm_cloud_api_key := @", &[Of(WORD, 44)]),
    ("detect-secrets ibm_cos_hmac", "ibm_cos_secret_access_key=@", &[Of(HEX, 48)]),
    ("detect-secrets keyword", "password_super_secure = \"@\"", &[Of(LETTERS, 8), Is(" "), Of(LETTERS, 6)]),
    ("detect-secrets keyword", "if (apikey === \"@\") {", &[Of(MIXED, 14)]),
    ("detect-secrets keyword", "api_key := '@'", &[Of(LETTERS, 12)]),
    ("detect-secrets keyword", "private_key := @,", &[Of(MIXED, 14)]),
    ("detect-secrets mailchimp", ALONE, &[Of(HEX, 32), Is("-us12")]),
    ("detect-secrets npm", "//registry.npmjs.org/:_authToken=@", &[Of(HEX, 8), Is("-cd03-11ec-9d64-"), Of(HEX, 12)]),
    ("detect-secrets private_key", "some text\n-----BEGIN PRIVATE KEY-----\n@", &[Of(LETTERS, 20)]),
    ("detect-secrets private_key", "PuTTY-User-Key-File-2: ssh-rsa\nPrivate-Lines: 2\n@\nPrivate-MAC: x", &[Of(MIXED, 64)]),
    ("detect-secrets softlayer", "--softlayer-api-key @", &[Of(HEX, 64)]),
    ("detect-secrets softlayer", "softlayer-pwd = @", &[Of(LOWER, 40)]),
    ("detect-secrets square_oauth", ALONE, &[Is("sq0"), Is("csp-"), Of(WORD, 43)]),
    ("detect-secrets twilio", "TWILIO_AUTH_TOKEN=@", &[Of(HEX, 32)]),
];

/// The texts that the scanners' tests say are none, and some that look like one of the rows above.
const NONE: &[(&str, &str)] = &[
    ("detect-secrets basic_auth", "'https://url:8000';@something else"),
    ("detect-secrets basic_auth", "https://url:8000/ @something else"),
    ("detect-secrets npm", "//registry.npmjs.org/:_authToken=${NPM_TOKEN}"),
    ("detect-secrets artifactory", "X-JFrog-Art-Api: $API_KEY"),
    ("detect-secrets keyword", "api_key = \"\""),
    ("detect-secrets keyword", "password: ${link}"),
    ("detect-secrets keyword", "some_key = \"real_secret\""),
    ("gitleaks curl-auth-user", "curl -u \"$USER:$PASSWORD\" https://example.com"),
    ("gitleaks curl-auth-header", "curl -H \"Authorization: $TOKEN\" https://example.com"),
    ("gitleaks generic-api-key", "client_token_count = 40, keyboard: us"),
    ("gitleaks generic-api-key", "public_key = \"9Cnzj4p4WGeKLs1Pt8QuKUpRKfFLfRYC9AIKjbJTWit\""),
    ("gitleaks generic-api-key", "primary_key: account_id"),
    ("gitleaks jwt", "eyebrow.raising"),
    ("gitleaks private-key", "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----"),
];

fn made(shape: Shape, seed: u64) -> String {
    let parts = shape.iter().zip(0_u64..).map(|(part, index)| match part {
        Is(text) => (*text).to_owned(),
        Of(alphabet, chars) => drawn(alphabet, *chars, seed * 31 + index),
    });
    parts.collect()
}

/// The part that must not be seen: the longest that is drawn.
fn core(shape: Shape, seed: u64) -> String {
    let drawn_parts = shape.iter().zip(0_u64..).filter_map(|(part, index)| match part {
        Is(_) => None,
        Of(alphabet, chars) => Some(drawn(alphabet, *chars, seed * 31 + index)),
    });
    drawn_parts.max_by_key(String::len).unwrap_or_else(|| made(shape, seed))
}

#[test]
fn every_published_shape_is_hidden() {
    assert!(RULES.len() >= 100, "{} rules", RULES.len());
    let mut seen = Vec::new();
    for ((rule, carrier, shape), row) in RULES.iter().zip(1_u64..) {
        for seed in [row, row + 1000, row + 2000] {
            let text = carrier.replacen('@', &made(shape, seed), 1);
            let shown = Redactor::default().text(&text).into_owned();
            if shown.contains(&core(shape, seed)) {
                seen.push(format!("{rule}: {text} -> {shown}"));
                break;
            }
        }
    }
    assert!(seen.is_empty(), "{} of {}:\n{}", seen.len(), RULES.len(), seen.join("\n"));
}

#[test]
fn what_the_scanners_call_none_stays() {
    for (rule, text) in NONE {
        assert_eq!(Redactor::default().text(text), *text, "{rule}");
    }
}
