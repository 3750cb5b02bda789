//! One test for each mistake that shows only when keys are read together: names given twice,
//! references, logins that are missing, files that do not hold what they should.

use super::super::finding::{Finding, Mistakes};
use super::super::{Settings, Warning};
use super::{error, errors, read, warning, with_line, with_more};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Reads a text beside the given files, which only their owner may read.
fn beside(files: &[(&str, &str)], text: &str) -> Result<(Settings, Vec<Warning>), Mistakes> {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    Settings::from_str(text, &folder.path().join("shop.toml"))
}

fn error_beside(files: &[(&str, &str)], text: &str) -> Finding {
    let mistakes = beside(files, text).expect_err("a bad configuration was accepted");
    let errors: Vec<_> = mistakes.errors().cloned().collect();
    assert_eq!(errors.len(), 1, "{mistakes}");
    errors.into_iter().next().unwrap()
}

#[test]
fn a_missing_section() {
    let found = errors("[[camera]]\nid = \"a\"\nzone = \"z\"\nsource = \"browser\"\n");
    assert_eq!(
        found.iter().map(|finding| finding.key.as_str()).collect::<Vec<_>>(),
        ["store.id", "store.name"]
    );
    assert!(found[0].to_string().contains("add a section [store]"));
}

#[test]
fn a_misspelt_section() {
    let found = errors(&with_line(1, "[stor]"));
    let misspelt = found.iter().find(|finding| finding.key == "stor").expect("[stor] is reported");
    misspelt.says(1, "stor", &["there is no such key", "did you mean `store`?"]);
}

#[test]
fn a_section_where_entries_belong() {
    error(&with_line(4, "[camera]")).says(4, "camera", &["is a section", "[[camera]]", "two brackets"]);
}

#[test]
fn a_value_where_a_section_belongs() {
    error(&format!("web = \"0.0.0.0:80\"\n{}", with_more(""))).says(1, "web", &["is a text", "`[web]`"]);
}

#[test]
fn two_cameras_of_one_name() {
    error(&with_more("[[camera]]\nid = \"door\"\nzone = \"tea\"\nsource = \"browser\"")).says(
        12,
        "camera[2].id",
        &["another camera has the id \"door\" (line 5)"],
    );
}

#[test]
fn more_cameras_than_one_box_can_look_at() {
    let camera = |n| format!("[[camera]]\nid = \"c{n}\"\nzone = \"tea\"\nsource = \"browser\"\n");
    let more: String = (0..64).map(camera).collect();
    error(&with_more(&more)).says(4, "camera", &["there are 65 of them", "at most 64"]);
}

#[test]
fn a_key_of_a_camera_elsewhere() {
    error(&with_more("[storage]\nurl = 3")).says(12, "storage.url", &["`url` is a key of [[camera]]"]);
}

#[test]
fn a_flood_of_unknown_keys_is_cut_short() {
    let flood: String = (0..1000).map(|n| format!("key{n} = 1\n")).collect();
    let found = errors(&with_more(&format!("[log]\n{flood}")));
    assert_eq!(found.len(), 21);
    found[20].says(32, "log.key20", &["nor are there 979 more"]);
}

#[test]
fn two_displays_of_one_name() {
    error(&with_more("[[display]]\nid = \"tea-1\"\nzone = \"tea\"")).says(12, "display[2].id", &["(line 9)"]);
}

#[test]
fn a_camera_whose_zone_has_no_display() {
    warning(&with_more("[[camera]]\nid = \"b\"\nzone = \"wine\"\nsource = \"browser\"")).says(
        13,
        "camera[2].zone",
        &["no display is in zone \"wine\""],
    );
}

#[test]
fn a_display_whose_zone_is_misspelt() {
    warning(&with_more("[[display]]\nid = \"b\"\nzone = \"tae\"")).says(
        13,
        "display[2].zone",
        &["no camera watches zone \"tae\"", "did you mean \"tea\"?"],
    );
}

const AREA: &str = "[[area]]\nname = \"Aisle 1\"\nx = 0\ny = 0\nwidth = 4\nheight = 1\n";

#[test]
fn two_areas_that_claim_the_same_products() {
    let other = AREA.replace("Aisle 1\"", "Tea\"\nplace = \"aisle 1\"");
    error(&with_more(&format!("{AREA}{other}"))).says(
        19,
        "area[2].place",
        &["another area has the place \"aisle 1\" (line 12)"],
    );
}

#[test]
fn an_area_without_width() {
    error(&with_more(&AREA.replace("width = 4", "width = 0"))).says(
        15,
        "area[1].width",
        &["is out of range", "from 0.1 to 1000 (metres to the right)"],
    );
    error(&with_more(&AREA.replace("x = 0\n", ""))).says(11, "area[1].x", &["is missing"]);
}

#[test]
fn an_area_of_a_zone_that_nothing_stands_in() {
    warning(&with_more(&format!("{AREA}zone = \"tae\""))).says(
        17,
        "area[1].zone",
        &["no camera, display or kiosk is in zone \"tae\"", "did you mean \"tea\"?"],
    );
}

#[test]
fn a_key_of_another_kind_of_camera() {
    error(&with_line(7, "source = \"v4l\"\ndevice = \"/dev/null\"\nurl = \"http://cam/x\"")).says(
        9,
        "camera[1].url",
        &["does not apply here", "source = \"mjpeg\" or \"snapshot\" or \"ffmpeg\" beside it"],
    );
}

#[test]
fn snapshots_further_apart_than_silence() {
    error(&with_line(7, "source = \"snapshot\"\nurl = \"http://c/x\"\nevery = \"10 s\"")).says(
        9,
        "camera[1].every",
        &["is not shorter than `silence`"],
    );
}

#[test]
fn a_login_in_the_url_and_beside_it() {
    let camera = "source = \"mjpeg\"\nurl = \"http://a@cam/x\"\nuser = \"me\"";
    error(&with_line(7, camera)).says(9, "camera[1].user", &["a url without a login of its own"]);
}

#[test]
fn a_broker_without_login_beyond_this_machine() {
    error(&with_more("[broker]\nlisten = \"0.0.0.0:1883\"")).says(
        12,
        "broker.listen",
        &["lets anybody on the network connect", "\"127.0.0.1:1883\"", "users = "],
    );
}

#[test]
fn pages_beyond_this_machine_without_a_token() {
    error(&with_more("[web]\nlisten = \"0.0.0.0:8080\"")).says(
        12,
        "web.listen",
        &["0.0.0.0:8080 can be reached from the network", "api_token_file"],
    );
}

#[test]
fn a_token_that_can_be_guessed() {
    error_beside(&[("t", "1234\n")], &with_more("[web]\napi_token_file = \"t\"")).says(
        12,
        "web.api_token_file",
        &["too short", "at least 16 characters", "openssl rand"],
    );
}

#[test]
fn an_empty_password_file() {
    let text = with_more("[mqtt]\nhost = \"b\"\nuser = \"me\"\npassword_file = \"p\"");
    error_beside(&[("p", "\n")], &text).says(14, "mqtt.password_file", &["\"p\" is an empty file"]);
    error_beside(&[("p", "a\nb\n")], &text).says(14, "mqtt.password_file", &["more than one line"]);
}

#[test]
fn a_password_without_a_user() {
    let text = with_more("[mqtt]\nhost = \"localhost\"\npassword_file = \"p\"");
    error_beside(&[("p", "secret\n")], &text).says(
        11,
        "mqtt.user",
        &["is missing", "that the password belongs to"],
    );
}

#[test]
fn a_password_in_clear_text_over_the_network_is_a_warning() {
    let text = with_more("[mqtt]\nhost = \"broker.lan\"\nuser = \"me\"\npassword_file = \"p\"");
    let (_, warnings) = beside(&[("p", "secret\n")], &text).unwrap();
    warnings[0].says(12, "mqtt.host", &["crosses the network in clear text", "[mqtt.tls]"]);
}

#[test]
fn a_certificate_file_that_holds_none() {
    let text = with_more("[mqtt]\nhost = \"b\"\n[mqtt.tls]\nca = \"ca.pem\"");
    error_beside(&[("ca.pem", "hello\n")], &text).says(14, "mqtt.tls.ca", &["holds no CERTIFICATE in PEM"]);
}

#[test]
fn a_client_certificate_without_its_key() {
    let pem = "-----BEGIN CERTIFICATE-----\n";
    let text = with_more("[mqtt]\nhost = \"b\"\n[mqtt.tls]\nca = \"c\"\nclient_certificate = \"c\"");
    error_beside(&[("c", pem)], &text).says(
        13,
        "mqtt.tls.client_key",
        &["is missing", "beside client_certificate"],
    );
}

#[test]
fn no_broker_at_all() {
    error(&with_more("[broker]\nenabled = false")).says(0, "mqtt.host", &["the embedded broker is off"]);
}

#[test]
fn a_port_without_a_host() {
    error(&with_more("[mqtt]\nport = 1884")).says(12, "mqtt.port", &["a `host` beside it"]);
}

#[test]
fn two_listeners_on_one_address() {
    error(&with_more("[web]\nlisten = \"127.0.0.1:1883\"")).says(
        12,
        "web.listen",
        &["127.0.0.1:1883 is also what broker.listen listens on"],
    );
}

#[test]
fn a_storage_folder_that_is_a_file() {
    error(&with_more("[storage]\nfolder = \"/dev/null\"")).says(12, "storage.folder", &["is not a folder"]);
}

#[test]
fn a_password_that_everybody_may_read_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shop.toml");
    std::fs::write(&file, with_line(7, "source = \"mjpeg\"\nurl = \"http://a:b@cam/x\"")).unwrap();
    let warnings_with_mode = |mode| {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        Settings::load(&file).unwrap().1
    };
    warnings_with_mode(0o644)[0].says(
        8,
        "camera[1].url",
        &["every user of this machine may read this file", "chmod"],
    );
    assert_eq!(warnings_with_mode(0o640), []);
}

#[test]
fn a_file_that_is_not_a_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let said = |path: &Path| Settings::load(path).unwrap_err().to_string();
    assert!(said(folder.path()).contains("is a folder, not a file"));
    assert!(said(&folder.path().join("none.toml")).contains("there is no such file"));

    let file = folder.path().join("shop.toml");
    std::fs::write(&file, b"[store]\nname = \"\xff\"\n").unwrap();
    assert!(said(&file).contains("not UTF-8 at line 2, column 9"), "{}", said(&file));

    std::fs::File::create(&file).unwrap().set_len(100 << 20).unwrap();
    assert!(
        said(&file).contains("too large for a configuration (100 MiB, at most 1 MiB)"),
        "{}",
        said(&file)
    );
    assert!(said(Path::new("/dev/zero")).contains("too large"));
}

#[test]
fn an_empty_file_lacks_what_is_required() {
    assert!(read("").unwrap_err().to_string().contains("store.id: is missing"));
}

/// Lines of a label of tag `mac`, whose display is on line 12 when they are appended.
fn label(display: &str, mac: &str) -> String {
    format!(
        "[[label]]\ndisplay = \"{display}\"\naccess_point = \"http://192.0.2.30\"\nmac = \"{mac}\"\nwidth = 296\n\
         height = 128\n"
    )
}

#[test]
fn a_label_is_read_whole() {
    let (settings, warnings) = read(&with_more(&label("tea-1", "0000026a5b3c4d1f"))).unwrap();
    assert_eq!(warnings, []);
    let label = &settings.labels[0];
    assert_eq!((label.mac.as_str(), label.width, label.every.as_secs()), ("0000026A5B3C4D1F", 296, 60));
}

#[test]
fn a_label_of_no_display() {
    error(&with_more(&label("tea-l", "0000026A5B3C4D1F"))).says(
        12,
        "label[1].display",
        &["there is no display \"tea-l\"", "did you mean \"tea-1\"?"],
    );
}

#[test]
fn two_labels_of_one_tag() {
    let both = label("tea-1", "0000026A5B3C4D1F") + &label("tea-1", "0000026a5b3c4d1f");
    error(&with_more(&both)).says(20, "label[2].mac", &["another label has this tag (line 14)"]);
}
