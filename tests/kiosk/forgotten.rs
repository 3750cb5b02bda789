//! Forget me: what the shop knows in words, a copy that is given once, a pause, and an erasure that is
//! done at once, with a receipt.

use super::{Scene, card_number, film, nothing_stays, press, until_kind, until_scene};

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_to_be_forgotten_is_forgotten_at_once() {
    let scene = Scene::new("60 s");
    film::write(&scene.film, &[(film::shopper(0), 9.0)]);
    let Some(browser) = scene.open().await else { return };
    browser.click("#join").await;
    until_scene(&browser, "terms").await;
    browser.click("#old-enough").await;
    browser.click("#agree-face").await;
    until_kind(&browser, "card").await;
    let card = card_number(&browser).await;
    press(&browser, "Done").await;
    nothing_stays(&browser, &[&card]).await;
    scene.buy("own", Some(&card), &["P-1", "P-2"], &[29, 20, 10, 3]);

    // what is known, and a copy of it
    browser.click("#recognise").await;
    until_kind(&browser, "slate").await;
    press(&browser, "What you know about me").await;
    until_kind(&browser, "mine").await;
    browser.shot("kiosk-mine").await;
    let told = browser.ask("return document.getElementById('member-body').textContent").await;
    assert!(
        told.as_str().unwrap().contains("4 purchases")
            && told.as_str().unwrap().contains("3 sealed templates"),
        "{told}"
    );
    press(&browser, "Give me a copy").await;
    until_kind(&browser, "copy").await;
    browser.shot("kiosk-copy").await;
    let path = browser.ask("return document.querySelector('.code').dataset.path").await;
    let (status, copy) = scene.daemon.get(path.as_str().unwrap()).unwrap();
    assert!(status == 200 && copy.contains(&card) && copy.contains("Oat Drink"), "{status} {copy}");
    assert_eq!(scene.daemon.get(path.as_str().unwrap()).unwrap().0, 404, "a copy was given twice");
    press(&browser, "Back").await;
    until_kind(&browser, "mine").await;

    // what they say of themselves: told, used, and taken back
    press(&browser, "Tell us or correct it").await;
    until_kind(&browser, "facts").await;
    let tick = async |text: &str| {
        let tick =
            format!("[...document.querySelectorAll('.fact')].find(f => f.textContent === {text:?}).click()");
        browser.ask(&tick).await;
    };
    tick("Honey").await;
    tick("Nothing from animals").await;
    browser.shot("kiosk-facts").await;
    press(&browser, "Save").await;
    until_kind(&browser, "mine").await;
    let told = "return document.querySelector('.facts').textContent";
    let said = browser.ask(told).await;
    assert!(said.as_str().unwrap().contains("Nothing from animals · Honey"), "{said}");
    browser.shot("kiosk-told").await;
    press(&browser, "Back").await;
    until_kind(&browser, "slate").await;
    let suggested = "return [...document.querySelectorAll('.product')].map(p => p.textContent).join(' ')";
    let slate = browser.ask(suggested).await;
    assert!(!slate.as_str().unwrap().contains("Honey"), "honey is of animals: {slate}");
    press(&browser, "What you know about me").await;
    until_kind(&browser, "mine").await;
    press(&browser, "Tell us or correct it").await;
    until_kind(&browser, "facts").await;
    tick("Nothing from animals").await;
    press(&browser, "Save").await;
    until_kind(&browser, "mine").await;
    let said = browser.ask(told).await;
    assert!(!said.as_str().unwrap().contains("animals"), "what was taken back is still known: {said}");
    press(&browser, "Back").await;
    browser
        .until(
            "honey, as they said",
            &format!("{suggested}.includes('From Honey, which you told us you like')"),
        )
        .await;
    press(&browser, "What you know about me").await;
    until_kind(&browser, "mine").await;

    // paused: known by the session alone from now on
    press(&browser, "Pause recognising me").await;
    browser
        .until(
            "paused",
            "return document.getElementById('member').textContent.includes('Recognise me again')",
        )
        .await;
    browser.shot("kiosk-paused").await;
    press(&browser, "Recognise me again").await;
    browser
        .until(
            "not paused",
            "return document.getElementById('member').textContent.includes('Pause recognising me')",
        )
        .await;

    press(&browser, "Forget me").await;
    browser.shot("kiosk-forget").await;
    press(&browser, "Yes, forget me now").await;
    until_kind(&browser, "forgotten").await;
    let receipt = browser.ask("return document.querySelector('.receipt').textContent").await;
    assert!(receipt.as_str().unwrap().contains("Erased: 3 templates"), "{receipt}");
    browser.shot("kiosk-forgotten").await;
    assert!(scene.members().contains("no members"), "{}", scene.members());
    press(&browser, "Done").await;
    nothing_stays(&browser, &[&card]).await;

    // neither the face nor the card is known any more
    browser.click("#recognise").await;
    let stranger = "return document.getElementById('look-hint').textContent.includes('Not recognised')";
    browser.until("not recognised", stranger).await;
    browser.click("#look-card").await;
    until_scene(&browser, "card").await;
    browser.client.find(fantoccini::Locator::Id("card-code")).await.unwrap().send_keys(&card).await.unwrap();
    browser.click("#card-form .main").await;
    let unknown = "return document.getElementById('card-problem').textContent.includes('No member')";
    browser.until("an unknown card", unknown).await;
    assert_eq!(browser.console_errors(), [""; 0]);
    browser.end().await;
}
