//! Where blobs are: prefixes, styles of addresses, and whose credentials.

use std::{process::Command, time::Duration};

use futures::TryStreamExt;
use larder_backends::object::{Check, ObjectOptions, S3Options, S3Style};
use larder_tests::servers::s3::{ACCESS_KEY, SECRET_KEY};

use crate::{BUCKET, options, server};

/// One prefix that begins like another is still another place.
#[tokio::test]
async fn stores_with_other_prefixes_never_see_each_other() {
    let server = server();
    let store = async |prefix: &str| options(&server).prefix(prefix).open().await.unwrap();
    let (a, ab, whole) = (store("a").await, store("ab/").await, store("").await);
    a.write("x", "a").await.unwrap();
    ab.write("x", "ab").await.unwrap();
    // Defect of the seed: the last part of the path was the whole key.
    a.write("other/x", "other").await.unwrap();
    for (store, expected, paths) in [
        (&a, "a", vec!["other/x", "x"]),
        (&ab, "ab", vec!["x"]),
        (&whole, "", vec!["a/other/x", "a/x", "ab/x"]),
    ] {
        let listed: Vec<String> = store
            .lister_with("/")
            .recursive(true)
            .await
            .unwrap()
            .map_ok(|entry| entry.path().to_owned())
            .try_collect()
            .await
            .unwrap();
        assert_eq!(listed, paths);
        if !expected.is_empty() {
            assert_eq!(store.read("x").await.unwrap().to_bytes(), expected);
        }
    }
    for path in ["../ab/x", "../a", "/x"] {
        assert!(a.write(path, "y").await.is_err() || path == "/x", "{path}");
        assert!(a.delete(path).await.is_err() || path == "/x", "{path}");
    }
    assert_eq!(ab.read("x").await.unwrap().to_bytes(), "ab");
}

/// Seen in an address that is signed and sent nowhere.
#[tokio::test]
async fn styles_and_session_tokens_are_in_the_address() {
    let signed = async |options: S3Options| {
        let store = options.into_object().unwrap().check(Check::Never).open().await.unwrap();
        store.presign_read("a b", Duration::from_secs(60)).await.unwrap().uri().to_string()
    };
    let options = || S3Options::new(BUCKET).region("eu-west-1").keys("id", "secret", Some("token".into()));
    let path = signed(options()).await;
    assert!(path.starts_with("https://s3.eu-west-1.amazonaws.com/larder/a%20b?"), "{path}");
    assert!(path.contains("X-Amz-Security-Token=token"), "{path}");
    let host = signed(options().style(S3Style::VirtualHost).prefix("p")).await;
    assert!(host.starts_with("https://larder.s3.eu-west-1.amazonaws.com/p/a%20b?"), "{host}");
    let own = signed(options().endpoint("http://127.0.0.1:9000")).await;
    assert!(own.starts_with("http://127.0.0.1:9000/larder/a%20b?"), "{own}");
    assert!(!own.contains("secret"), "{own}");
}

const ENDPOINT_OF_CHILD: &str = "LARDER_TEST_ENDPOINT";

/// Where none are given, they come from where AWS's tools take them. The variables are those of a process, so this
/// test starts itself as another.
#[test]
fn credentials_and_region_come_from_the_environment() {
    if std::env::var_os(ENDPOINT_OF_CHILD).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        return runtime.block_on(async {
            let store = S3Options::new(BUCKET).open().await.unwrap();
            store.write("a", "x").await.unwrap();
        });
    }
    let server = server();
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("credentials");
    let profile = format!("[mine]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n");
    std::fs::write(&file, profile).unwrap();
    let name = "places::credentials_and_region_come_from_the_environment";
    let child = || {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args([name, "--exact"]).env(ENDPOINT_OF_CHILD, "").env("AWS_REGION", "us-east-1");
        child.env("AWS_ENDPOINT_URL", server.endpoint()).env("AWS_EC2_METADATA_DISABLED", "true");
        child
    };
    let by_keys = child()
        .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        .status()
        .unwrap();
    assert!(by_keys.success());
    let by_profile =
        child().env("AWS_SHARED_CREDENTIALS_FILE", &file).env("AWS_PROFILE", "mine").status().unwrap();
    assert!(by_profile.success());
}

#[tokio::test]
async fn any_service_opens_by_its_options_and_by_its_url() {
    let server = server();
    let pairs = [
        ("bucket", BUCKET),
        ("region", "us-east-1"),
        ("endpoint", &server.endpoint()),
        ("access_key_id", ACCESS_KEY),
        ("secret_access_key", SECRET_KEY),
        ("part_size", "6MiB"),
    ];
    let by_options = ObjectOptions::service("s3", pairs).unwrap();
    assert!(!format!("{by_options:?}").contains(SECRET_KEY));
    by_options.open().await.unwrap().write("a", "x").await.unwrap();
    let url = format!(
        "s3://{BUCKET}?endpoint={}&access_key_id={ACCESS_KEY}&secret_access_key={SECRET_KEY}",
        server.endpoint()
    );
    let by_url = ObjectOptions::from_url(&url).unwrap();
    assert_eq!(by_url.to_string(), format!("s3://{BUCKET}"));
    assert_eq!(by_url.open().await.unwrap().read("a").await.unwrap().to_bytes(), "x");
    let error = ObjectOptions::service("s3", [("buckt", "x")]).unwrap_err();
    assert!(error.message().contains("did you mean `bucket`?"), "{error}");
}
