//! How the kiosk's page looks and feels: widths, languages, contrast, cut text, keyboard.

use super::{Scene, film, until_kind, until_scene};
use crate::browser::Browser;
use serde_json::Value;

/// What is wrong with what is on the glass: text that is cut or leaves the glass, text whose contrast
/// is below AA, controls without a name or lower than a finger.
const FAULTS: &str = r#"
const faults = [];
const seen = (e) => { const r = e.getBoundingClientRect(); return r.width > 0 && r.height > 0 && getComputedStyle(e).visibility !== 'hidden'; };
const rgb = (c) => { const m = c.match(/[\d.]+/g).map(Number); return m.length > 3 && m[3] === 0 ? null : m.slice(0, 3); };
const ground = (e) => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c) return c; } return [255, 255, 255]; };
const light = (c) => { const [r, g, b] = c.map((v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const contrast = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
for (const e of document.querySelectorAll('body *')) {
  if (!seen(e)) continue;
  const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
  if (!own) continue;
  const r = e.getBoundingClientRect(), s = getComputedStyle(e), text = e.textContent.trim().slice(0, 40);
  if (r.left < -1 || r.right > innerWidth + 1) faults.push('leaves the glass: ' + text);
  if (s.overflow !== 'visible' && (e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 1)) faults.push('cut: ' + text);
  const size = parseFloat(s.fontSize), large = size >= 24 || (size >= 18.66 && parseInt(s.fontWeight) >= 700);
  const c = contrast(rgb(s.color), ground(e));
  if (c < (large ? 3 : 4.5)) faults.push('contrast ' + c.toFixed(2) + ': ' + text);
}
for (const e of document.querySelectorAll('button, a, input, summary')) {
  if (!seen(e)) continue;
  const name = (e.getAttribute('aria-label') || e.textContent || (e.labels && e.labels[0] && e.labels[0].textContent) || '').trim();
  if (!name) faults.push('no name: ' + e.outerHTML.slice(0, 60));
  const r = e.getBoundingClientRect();
  if (r.height < 34) faults.push('too low for a finger: ' + name);
}
if (document.documentElement.scrollWidth > innerWidth + 1) faults.push('the page is wider than the glass');
const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
if (new Set(ids).size !== ids.length) faults.push('an id twice');
return faults;
"#;

/// Controls of the present scene that the tabulator never reaches.
async fn unreached(browser: &Browser) -> Value {
    browser.ask("document.activeElement.blur(); window.reached = new Set()").await;
    let all = browser.ask("return [...document.querySelectorAll('button, a, input, summary')].filter(e => e.offsetParent).length").await;
    for _ in 0..all.as_u64().unwrap() + 2 {
        let active = browser.client.active_element().await.unwrap();
        active.send_keys("\u{e004}").await.unwrap(); // tabulator
        browser.ask("window.reached.add(document.activeElement)").await;
    }
    browser
        .ask(
            "return [...document.querySelectorAll('button, a, input, summary')]\
             .filter(e => e.offsetParent && !window.reached.has(e)).map(e => e.outerHTML.slice(0, 80))",
        )
        .await
}

/// axe-core's violations, where `SHOPGUIDE_AXE` names its script; none otherwise.
async fn axe(browser: &Browser) -> Value {
    let Some(path) = std::env::var_os("SHOPGUIDE_AXE") else { return Value::Array(vec![]) };
    browser.ask(&std::fs::read_to_string(path).unwrap()).await;
    let run = "const done = arguments[arguments.length - 1];\
        axe.run().then(r => done(r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.html.slice(0, 90)).join(' | '))))";
    browser.client.execute_async(run, vec![]).await.unwrap()
}

async fn good(browser: &Browser, what: &str) {
    let none = Value::Array(vec![]);
    assert_eq!(browser.ask(FAULTS).await, none, "{what}");
    assert_eq!(axe(browser).await, none, "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_width_and_language_is_whole_readable_and_reached_by_keyboard() {
    let scene = Scene::new("300 s");
    film::write(&scene.film, &[(film::empty(), 2.0)]);
    let Some(browser) = scene.open().await else { return };
    for language in ["en", "zh"] {
        for (width, height) in [(390, 844), (800, 1280), (1280, 800)] {
            let name = |scene: &str| format!("kiosk-{scene}-{width}-{language}");
            browser.glass(width, height);
            browser.client.goto(&scene.url(&format!("/kiosk/k1?lang={language}"))).await.unwrap();
            until_scene(&browser, "idle").await;
            good(&browser, &name("idle")).await;
            browser.shot(&name("idle")).await;
            assert_eq!(unreached(&browser).await, Value::Array(vec![]), "{}", name("idle"));

            // by keyboard alone: join with a card, see the slate and what is kept, forget
            browser.ask("document.getElementById('join').focus()").await;
            let enter = "\u{e007}";
            browser.client.active_element().await.unwrap().send_keys(enter).await.unwrap();
            until_scene(&browser, "terms").await;
            good(&browser, &name("terms")).await;
            browser.shot(&name("terms")).await;
            assert_eq!(unreached(&browser).await, Value::Array(vec![]), "{}", name("terms"));
            browser.ask("document.getElementById('old-enough').focus()").await;
            browser.client.active_element().await.unwrap().send_keys(" ").await.unwrap();
            browser.ask("document.getElementById('agree-card').focus()").await;
            browser.client.active_element().await.unwrap().send_keys(enter).await.unwrap();
            until_kind(&browser, "card").await;
            good(&browser, &name("joined")).await;
            browser.ask("document.querySelectorAll('#member-actions button')[1].click()").await;
            until_kind(&browser, "slate").await;
            browser.until("products", "return document.querySelectorAll('.product').length >= 2").await;
            good(&browser, &name("slate")).await;
            browser.shot(&name("slate")).await;
            assert_eq!(unreached(&browser).await, Value::Array(vec![]), "{}", name("slate"));
            browser.ask("document.querySelectorAll('#member-actions button')[1].click()").await;
            until_kind(&browser, "mine").await;
            good(&browser, &name("mine")).await;
            browser.shot(&name("mine")).await;
            browser.ask("document.querySelector('#member-actions .danger').click()").await;
            until_kind(&browser, "forget").await;
            browser.ask("document.querySelector('#member-actions .danger').click()").await;
            until_kind(&browser, "forgotten").await;
            good(&browser, &name("forgotten")).await;
            browser.ask("document.querySelector('#member-actions .main').click()").await;
            until_scene(&browser, "idle").await;
        }
    }
    assert_eq!(browser.console_errors(), [""; 0]);
    browser.end().await;
}
