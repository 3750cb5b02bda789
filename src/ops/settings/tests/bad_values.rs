//! One test for each bad value of a key: the line, the key, the value, what is expected, and what
//! was probably meant.

use super::{error, errors, warning, with_line, with_more};

#[test]
fn a_misspelt_key() {
    error(&with_line(6, "zonne = \"tea\"")).says(
        6,
        "camera[1].zonne",
        &["shop.toml:6:1: error", "there is no such key", "one of id, zone, source", "did you mean `zone`?"],
    );
}

#[test]
fn a_key_of_another_section() {
    error(&with_more("[log]\nkeep_days = 3")).says(
        12,
        "log.keep_days",
        &["no such key", "is a key of [storage]"],
    );
}

#[test]
fn a_missing_key() {
    error(&with_line(9, "")).says(8, "display[1].id", &["is missing", "1 to 32 of a-z, 0-9 and '-'"]);
}

#[test]
fn an_id_that_would_break_a_topic() {
    error(&with_line(2, "id = \"Harbour Street\"")).says(
        2,
        "store.id",
        &["\"Harbour Street\" cannot be part of topics", "did you mean \"harbour-street\"?"],
    );
}

#[test]
fn a_number_out_of_range() {
    error(&with_line(10, "zone = \"tea\"\nitems = 13")).says(
        11,
        "display[1].items",
        &["13 is out of range", "a whole number of products from 1 to 12"],
    );
}

#[test]
fn a_fraction_where_a_whole_number_belongs() {
    error(&with_more("[recognition]\nvotes = 2.5")).says(
        12,
        "recognition.votes",
        &["2.5 is not a whole number"],
    );
}

#[test]
fn a_number_in_quotes() {
    error(&with_more("[storage]\nkeep_days = \"90\"")).says(
        12,
        "storage.keep_days",
        &["\"90\" is a text", "a whole number of days from 1 to 36500", "did you mean 90?"],
    );
}

#[test]
fn a_text_without_quotes_that_is_a_number() {
    error(&with_line(3, "name = 4711")).says(
        3,
        "store.name",
        &["4711 is a whole number", "did you mean \"4711\"?"],
    );
}

#[test]
fn a_share_above_one() {
    error(&with_line(7, "source = \"browser\"\nmotion = 4.0")).says(
        8,
        "camera[1].motion",
        &["4.0 is out of range", "a number from 0 to 1 (a share of the picture)"],
    );
}

#[test]
fn a_number_that_is_none() {
    error(&with_more("[vision]\nmin_quality = nan")).says(12, "vision.min_quality", &["nan is out of range"]);
}

#[test]
fn a_duration_without_unit() {
    error(&with_more("[recognition]\nleave_after = 4")).says(
        12,
        "recognition.leave_after",
        &["4 has no unit", "from \"500 ms\" to \"10 min\"", "did you mean \"4 s\"?"],
    );
}

#[test]
fn a_duration_with_another_word_for_its_unit() {
    error(&with_more("[mqtt]\npersonal_for = \"20 sec\"")).says(
        12,
        "mqtt.personal_for",
        &["the unknown unit \"sec\"", "did you mean \"20 s\"?"],
    );
}

#[test]
fn a_duration_out_of_range() {
    error(&with_more("[mqtt]\nkeep_alive = \"2 h\"")).says(
        12,
        "mqtt.keep_alive",
        &["\"2 h\" is out of range", "from \"1 s\" to \"10 min\""],
    );
}

#[test]
fn a_misspelt_choice() {
    error(&with_line(7, "source = \"mjpg\"\nurl = \"http://cam/\"")).says(
        7,
        "camera[1].source",
        &["\"mjpg\" is not one of the choices", "\"folder\", \"mjpeg\"", "did you mean \"mjpeg\"?"],
    );
}

#[test]
fn another_word_for_a_choice() {
    error(&with_line(7, "source = \"rtsp\"\nurl = \"rtsp://c/1\"")).says(
        7,
        "camera[1].source",
        &["\"rtsp\" is not one of the choices", "did you mean \"ffmpeg\"?"],
    );
}

#[test]
fn a_language_that_has_no_texts() {
    error(&with_line(10, "zone = \"tea\"\nlanguage = \"de\"")).says(
        11,
        "display[1].language",
        &["\"de\" is not one of the choices", "one of \"en\", \"zh\""],
    );
}

#[test]
fn true_in_quotes() {
    error(&with_more("[recognition]\nenabled = \"false\"")).says(
        12,
        "recognition.enabled",
        &["\"false\" is a text", "did you mean false?"],
    );
}

#[test]
fn a_time_zone_that_is_a_city() {
    error(&with_line(3, "name = \"H\"\ntime_zone = \"Berlin\"")).says(
        4,
        "store.time_zone",
        &["\"Berlin\" is not a time zone", "did you mean \"Europe/Berlin\"?"],
    );
}

#[test]
fn an_address_that_is_only_a_port() {
    error(&with_more("[web]\nlisten = 8080")).says(
        12,
        "web.listen",
        &["8080 has no address", "did you mean \"127.0.0.1:8080\"?"],
    );
    error(&with_more("[web]\nlisten = \"127.0.0.1:80800\"")).says(
        12,
        "web.listen",
        &["no port from 0 to 65535"],
    );
}

#[test]
fn an_address_with_a_name() {
    error(&with_more("[web]\nlisten = \"localhost:8080\"")).says(
        12,
        "web.listen",
        &["names no address", "did you mean \"127.0.0.1:8080\"?"],
    );
}

#[test]
fn a_host_that_is_a_url() {
    error(&with_more("[mqtt]\nhost = \"mqtt://broker.lan:1883\"")).says(
        12,
        "mqtt.host",
        &["is a URL", "did you mean \"broker.lan\"?"],
    );
}

#[test]
fn a_camera_url_without_scheme() {
    error(&with_line(7, "source = \"snapshot\"\nurl = \"cam.lan/still.jpg\"")).says(
        8,
        "camera[1].url",
        &["names no http://", "did you mean \"http://cam.lan/still.jpg\"?"],
    );
}

#[test]
fn rtsp_where_http_belongs() {
    error(&with_line(7, "source = \"mjpeg\"\nurl = \"rtsp://cam/1\"")).says(
        8,
        "camera[1].url",
        &["is not an http URL", "source = \"ffmpeg\""],
    );
}

#[test]
fn a_password_with_a_slash_in_a_url() {
    error(&with_line(7, "source = \"mjpeg\"\nurl = \"http://me:p/w@cam/x\"")).says(
        8,
        "camera[1].url",
        &["%2F for '/'"],
    );
}

#[test]
fn a_password_in_the_configuration() {
    error(&with_more("[mqtt]\nhost = \"b\"\nuser = \"me\"\npassword = \"hunter2\"")).says(
        14,
        "mqtt.password",
        &[
            "a password may not stand in the configuration",
            "password_file = ",
            "password_credential = ",
            "= ***",
        ],
    );
}

#[test]
fn a_password_file_that_does_not_exist() {
    error(&with_more("[mqtt]\nhost = \"b\"\nuser = \"me\"\npassword_file = \"mqtt.pw\"")).says(
        14,
        "mqtt.password_file",
        &["\"mqtt.pw\" does not exist", "the password alone on its first line", "the path exists up to /"],
    );
}

#[test]
fn a_credential_outside_of_systemd() {
    if std::env::var_os("CREDENTIALS_DIRECTORY").is_none() {
        error(&with_more("[mqtt]\nhost = \"b\"\nuser = \"me\"\npassword_credential = \"mqtt\"")).says(
            14,
            "mqtt.password_credential",
            &["systemd handed over no credentials", "LoadCredential=mqtt:"],
        );
    }
}

#[test]
fn a_log_level_that_is_none() {
    error(&with_more("[log]\nfilter = \"debugg\"")).says(
        12,
        "log.filter",
        &["holds \"debugg\", which is not a level", "did you mean \"debug\"?"],
    );
}

#[test]
fn a_list_that_holds_a_number() {
    error(&with_line(7, "source = \"ffmpeg\"\nurl = \"rtsp://c/1\"\ninput_args = [\"-re\", 5]")).says(
        9,
        "camera[1].input_args",
        &["holds something that is not a text"],
    );
}

#[test]
fn a_path_that_only_a_shell_understands() {
    error(&with_more("[storage]\nfolder = \"~/data\"")).says(
        12,
        "storage.folder",
        &["begins with ~", "/data\"?"],
    );
}

#[test]
fn a_column_that_is_not_a_text() {
    error(&with_more("[import.receipts]\nsku = 4")).says(12, "import.receipts.sku", &["4 is a whole number"]);
}

#[test]
fn a_device_that_is_not_plugged_in_is_a_warning() {
    warning(&with_line(7, "source = \"v4l\"\ndevice = \"/dev/no-such-video\"")).says(
        8,
        "camera[1].device",
        &["warning", "there is no device /dev/no-such-video at present", "counts as lost"],
    );
}

#[test]
fn a_bad_value_leaves_its_neighbours_judged() {
    let found = errors(&with_more("[recognition]\nvotes = 0\nmargin = \"x\"\nagreement = 0.2"));
    assert_eq!(found.iter().map(|finding| finding.line).collect::<Vec<_>>(), [12, 13, 14]);
}

/// One line of a label that is right but for it.
fn label_with(line: &str) -> String {
    let lines = [
        "display = \"tea-1\"",
        "access_point = \"http://192.0.2.30\"",
        "mac = \"0000026A5B3C4D1F\"",
        "width = 296",
        "height = 128",
    ];
    let key = line.split(' ').next().unwrap();
    let others: Vec<&str> = lines.into_iter().filter(|l| !l.starts_with(key)).collect();
    with_more(&format!("[[label]]\n{line}\n{}", others.join("\n")))
}

#[test]
fn a_label_s_bad_values() {
    let bad: [(&str, &str, &[&str]); 7] = [
        ("access_point = \"192.0.2.30\"", "access_point", &["did you mean \"http://192.0.2.30\"?"]),
        ("access_point = \"https://ap\"", "access_point", &["is not an http:// address", "plain http"]),
        ("access_point = \"http://u:p@ap\"", "access_point", &["more than a host and a port"]),
        ("mac = \"00:00:02:6A:5B:3C:4D:1F\"", "mac", &["did you mean \"0000026A5B3C4D1F\"?"]),
        ("mac = \"tag 7\"", "mac", &["is not a tag's name", "12 or 16 of 0-9 and A-F"]),
        ("every = \"5 s\"", "every", &["out of range", "from \"1 min\""]),
        ("colours = \"red\"", "colours", &["did you mean \"bwr\"?"]),
    ];
    for (line, key, said) in bad {
        error(&label_with(line)).says(12, &format!("label[1].{key}"), said);
    }
}

#[test]
fn a_font_that_is_not_there() {
    let found = error(&with_more("[fonts]\nfiles = [\"letters.ttf#2\"]"));
    found.says(12, "fonts.files", &["letters.ttf#2", "cannot be read", "third font of a collection"]);
}
