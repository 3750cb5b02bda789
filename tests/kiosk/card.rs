//! Joining by card only, with the same benefits: the card's code, the slate, where things are, what is
//! like them, a list for the phone; and a page that nobody touches clears itself.

use super::browser::Browser;
use super::faults::good;
use super::{Scene, card_number, film, nothing_stays, press, until_kind, until_scene};

/// What a phone reads off the code on the glass.
async fn scan(browser: &Browser) -> String {
    let code = browser.client.find(fantoccini::Locator::Css(".code")).await.unwrap();
    let glass = shopguide::camera::decode::decode(&code.screenshot().await.unwrap()).unwrap();
    let (width, height) = (glass.width() as usize, glass.height() as usize);
    let light = |x: usize, y: usize| glass.get_pixel(x as u32, y as u32).0[1];
    let mut seen = rqrr::PreparedImage::prepare_from_greyscale(width, height, light);
    let grid = seen.detect_grids().pop().expect("there is a code on the glass");
    grid.decode().expect("the code can be read").1
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shopper_joins_by_card_only_and_the_page_clears_itself() {
    let scene = Scene::new("16 s");
    film::write(&scene.film, &[(film::empty(), 2.0)]);
    let Some(browser) = scene.open().await else { return };
    browser.click("#join").await;
    browser.click("#old-enough").await;
    browser.click("#agree-card").await;
    until_kind(&browser, "card").await;
    let card = card_number(&browser).await;
    browser.shot("kiosk-card-joined").await;
    browser.print(true);
    browser.shot("kiosk-card-paper").await;
    browser.print(false);
    assert_eq!(scan(&browser).await, card, "the code on the glass is not the card");
    press(&browser, "Done").await;
    nothing_stays(&browser, &[&card]).await;
    scene.buy("own", Some(&card), &["P-1", "P-4"], &[29, 20, 10, 3]);

    // typed, as people type
    browser.click("#use-card").await;
    until_scene(&browser, "card").await;
    browser
        .client
        .find(fantoccini::Locator::Id("card-code"))
        .await
        .unwrap()
        .send_keys("NOT-A-CARD")
        .await
        .unwrap();
    browser.click("#card-form .main").await;
    browser
        .until(
            "an unknown card",
            "return document.getElementById('card-problem').textContent.includes('No member')",
        )
        .await;
    browser.shot("kiosk-card").await;
    browser.ask("document.getElementById('card-code').value = ''").await;
    let typed = format!("{} {}", &card[..10].to_lowercase(), &card[10..]);
    browser.client.find(fantoccini::Locator::Id("card-code")).await.unwrap().send_keys(&typed).await.unwrap();
    browser.click("#card-form .main").await;
    until_kind(&browser, "slate").await;
    browser.until("products", "return document.querySelectorAll('.product').length === 3").await;

    // where it is, what is like it, and the list in a code
    let oat = "[...document.querySelectorAll('.product')].find(p => p.textContent.includes('Oat Drink'))";
    let choose = async |text: &str| {
        let of_oat =
            format!("[...{oat}.querySelectorAll('button')].find(b => b.textContent === {text:?}).click()");
        browser.ask(&of_oat).await;
    };
    choose("Where is it?").await;
    browser.until("the map", "return document.querySelector('.map')?.naturalWidth > 0").await;
    let alt = browser.ask("return document.querySelector('.map').alt").await;
    assert!(alt.as_str().unwrap().contains("Cooler 2, shelf A"), "{alt}");
    browser.shot("kiosk-slate").await;
    // a slate that comes anew leaves it open
    browser.ask("document.querySelector('.products').dataset.old = 'yes'").await;
    scene.buy("again", Some(&card), &["P-1", "P-4"], &[2]);
    browser.until("a new slate", "return !document.querySelector('.products').dataset.old").await;
    let open = "const map = document.querySelector('.map'); return !!map && map.naturalWidth > 0 && !map.parentElement.hidden";
    assert_eq!(browser.ask(open).await, true, "the map was closed by a new slate");
    choose("Onto my list").await;
    // Which product is new to the member on the slate depends on whether it was made before the shop's sales
    // were read: what it shows already is not named again.
    let names = "return [...document.querySelectorAll('.product h2')].map(h => h.textContent)";
    let names = async || serde_json::from_value::<Vec<String>>(browser.ask(names).await).unwrap();
    let shown = names().await;
    choose("More like this").await;
    until_kind(&browser, "alike").await;
    let like = names().await;
    let mut plant_drinks = vec!["Almond Drink without Sugar 1 l", "Soy Drink Calcium 1 l"];
    plant_drinks.retain(|name| !shown.iter().any(|s| s == name));
    assert!(!like.is_empty());
    assert_eq!(like, plant_drinks);
    let common = browser.ask("return document.querySelector('.common').textContent").await;
    assert_eq!(common, "In common: Plant drinks · Haferwerk");
    browser.shot("kiosk-alike").await;
    press(&browser, "Onto my list").await;
    press(&browser, "My shopping list").await;
    until_kind(&browser, "list").await;
    browser.shot("kiosk-list").await;
    let scanned = scan(&browser).await;
    let listed = format!("Oat Drink Barista 1 l (Cooler 2, shelf A)\n{} (Cooler 2, shelf B)", like[0]);
    assert_eq!(scanned, listed);
    press(&browser, "Back").await;
    until_kind(&browser, "slate").await;
    let before = browser.ask("return document.querySelector('.product h2').textContent").await;
    press(&browser, "Not for me").await;
    let gone = format!(
        "return ![...document.querySelectorAll('.product h2')].some(h => h.textContent === {before})"
    );
    browser.until("the product is gone", &gone).await;

    // nobody touches it any more
    browser
        .until("asked whether still there", "return document.getElementById('still').hidden === false")
        .await;
    browser.shot("kiosk-still").await;
    good(&browser, "still there?").await;
    nothing_stays(&browser, &[&card, "Oat Drink"]).await;

    // by its code, read from the kiosk's own camera
    film::write(&scene.film, &[(film::card(&card), 4.0)]);
    browser.click("#use-card").await;
    browser.click("#card-camera").await;
    until_kind(&browser, "slate").await;
    press(&browser, "Done").await;
    nothing_stays(&browser, &[&card]).await;
    assert_eq!(browser.console_errors(), [""; 0]);
    browser.end().await;
}
