//! How the kiosk's page looks and feels: every scene at three widths, in both languages: nothing cut,
//! contrast, names, and everything reached by keyboard.

use super::browser::Browser;
use super::faults::{all_reached, good};
use super::{Scene, card_number, film, press, until_kind, until_scene};
use std::time::Duration;

/// The buttons that are pressed on the way, in one language.
struct Words {
    to_slate: &'static str,
    whereabouts: &'static str,
    alike: &'static str,
    list: &'static str,
    mine: &'static str,
    facts: &'static str,
    copy: &'static str,
    forget: &'static str,
    back: &'static str,
    done: &'static str,
}

const EN: Words = Words {
    to_slate: "Show my suggestions",
    whereabouts: "Where is it?",
    alike: "More like this",
    list: "My shopping list",
    mine: "What you know about me",
    facts: "Tell us or correct it",
    copy: "Give me a copy",
    forget: "Forget me",
    back: "Back",
    done: "Done",
};

const ZH: Words = Words {
    to_slate: "查看我的推荐",
    whereabouts: "在哪里？",
    alike: "更多类似商品",
    list: "我的购物清单",
    mine: "你们知道我什么",
    facts: "告知或更正喜好",
    copy: "给我一份副本",
    forget: "忘记我",
    back: "返回",
    done: "完成",
};

/// Presses a key on whatever has the focus.
async fn key(browser: &Browser, key: &str) {
    browser.client.active_element().await.unwrap().send_keys(key).await.unwrap();
}

/// Time in which receipts that were sent just now have changed the slate for the last time.
const SETTLED: Duration = Duration::from_secs(3);
const ENTER: &str = "\u{e007}";

/// Puts the focus where the tabulator would take it, which `all_reached` has shown, and presses Enter.
async fn enter(browser: &Browser, id: &str) {
    browser.ask(&format!("document.getElementById('{id}').focus()")).await;
    key(browser, ENTER).await;
}

/// Everything that is to be right with a scene, and a picture of it.
async fn looks_right(browser: &Browser, what: &str) {
    good(browser, what).await;
    browser.shot(what).await;
    all_reached(browser, what).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_width_and_language_is_whole_readable_and_reached_by_keyboard() {
    let scene = Scene::new("300 s");
    film::write(&scene.film, &[(film::empty(), 2.0)]);
    let Some(browser) = scene.open().await else { return };
    for (language, words) in [("en", EN), ("zh", ZH)] {
        for (width, height) in [(390, 844), (800, 1280), (1280, 800)] {
            let name = |scene: &str| format!("kiosk-{scene}-{width}-{language}");
            browser.glass(width, height);
            browser.client.goto(&scene.url(&format!("/kiosk/k1?lang={language}"))).await.unwrap();
            until_scene(&browser, "idle").await;
            looks_right(&browser, &name("idle")).await;

            // the camera's scenes
            enter(&browser, "recognise").await;
            until_scene(&browser, "look").await;
            browser.until("the camera", "return document.querySelector('#look video')?.videoWidth > 0").await;
            looks_right(&browser, &name("look")).await;
            enter(&browser, "look-card").await;
            until_scene(&browser, "card").await;
            looks_right(&browser, &name("card")).await;
            enter(&browser, "home").await;
            until_scene(&browser, "idle").await;

            // joining, with a face that is not there and then with a card
            enter(&browser, "join").await;
            until_scene(&browser, "terms").await;
            looks_right(&browser, &name("terms")).await;
            browser.ask("document.getElementById('old-enough').focus()").await;
            key(&browser, " ").await;
            enter(&browser, "agree-face").await;
            until_scene(&browser, "joining").await;
            browser
                .until("the camera", "return document.querySelector('#joining video')?.videoWidth > 0")
                .await;
            looks_right(&browser, &name("joining")).await;
            enter(&browser, "home").await;
            until_scene(&browser, "idle").await;
            enter(&browser, "join").await;
            until_scene(&browser, "terms").await;
            browser.ask("document.getElementById('old-enough').focus()").await;
            key(&browser, " ").await;
            enter(&browser, "agree-card").await;
            until_kind(&browser, "card").await;
            looks_right(&browser, &name("joined")).await;
            let card = card_number(&browser).await;
            scene.buy(&format!("own-{card}"), Some(&card), &["P-1", "P-2"], &[29, 20, 10, 3]);
            tokio::time::sleep(SETTLED).await;

            // the slate and what can be done with it
            press(&browser, words.to_slate).await;
            until_kind(&browser, "slate").await;
            browser.until("products", "return document.querySelectorAll('.product').length === 3").await;
            press(&browser, words.whereabouts).await;
            browser.until("the map", "return document.querySelector('.map')?.naturalWidth > 0").await;
            looks_right(&browser, &name("slate")).await;
            press(&browser, words.alike).await;
            until_kind(&browser, "alike").await;
            looks_right(&browser, &name("alike")).await;
            press(&browser, words.list).await;
            until_kind(&browser, "list").await;
            looks_right(&browser, &name("list")).await;
            press(&browser, words.back).await;
            until_kind(&browser, "slate").await;

            // my data
            press(&browser, words.mine).await;
            until_kind(&browser, "mine").await;
            looks_right(&browser, &name("mine")).await;
            press(&browser, words.facts).await;
            until_kind(&browser, "facts").await;
            looks_right(&browser, &name("facts")).await;
            press(&browser, words.back).await;
            until_kind(&browser, "mine").await;
            press(&browser, words.copy).await;
            until_kind(&browser, "copy").await;
            looks_right(&browser, &name("copy")).await;
            press(&browser, words.back).await;
            until_kind(&browser, "mine").await;
            press(&browser, words.forget).await;
            until_kind(&browser, "forget").await;
            looks_right(&browser, &name("forget")).await;
            browser.ask("document.querySelector('#member-actions .danger').click()").await;
            until_kind(&browser, "forgotten").await;
            looks_right(&browser, &name("forgotten")).await;
            press(&browser, words.done).await;
            until_scene(&browser, "idle").await;
        }
    }
    assert_eq!(browser.console_errors(), [""; 0]);
    browser.end().await;
}
