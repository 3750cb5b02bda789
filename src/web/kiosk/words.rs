//! The kiosk page's own words, in each language.

use crate::recommend::Language;

/// Everything that the page says by itself, by key. Keys in scripts and markup are the same.
type Words = &'static [(&'static str, &'static str)];

const EN: Words = &[
    ("welcome", "Welcome"),
    ("invite", "Suggestions made for you, each with a reason. Only if you want them."),
    (
        "notice",
        "If you choose to be recognised or to join, this screen's camera is used. It is off now. Pictures are looked at for a moment and never kept. Without a membership nothing about you is kept.",
    ),
    (
        "notice-fixed",
        "A camera of the shop watches this place. It recognises members who agreed to that, and nobody else. Pictures are looked at for a moment and never kept.",
    ),
    ("use-card", "Use my card instead"),
    ("use-card-more", "The same benefits, without the camera recognising you"),
    ("recognise", "Recognise me"),
    ("recognise-more", "For members who joined with their face"),
    ("join", "Become a member"),
    ("join-more", "With a card, or with your face. Takes less than a minute"),
    ("timeout", "This screen forgets everything when it is not touched for {n} seconds."),
    ("other-language", "中文"),
    ("back", "Back"),
    ("done", "Done"),
    ("home", "Start again"),
    ("card-title", "Your card"),
    ("card-hold", "Hold the code of your card before the camera, or type its number."),
    ("card-number", "Card number"),
    ("card-go", "Continue"),
    ("card-camera", "Read it with the camera"),
    ("card-unknown", "No member has this card. Please check the number."),
    ("card-wait", "Too many cards were tried. Please wait a minute, or ask our staff."),
    (
        "camera-none",
        "This screen has no camera that can be used. Please type the number of your card, or ask our staff.",
    ),
    ("look-title", "Look at the camera"),
    (
        "look-text",
        "We compare what the camera sees with the members who agreed to it. It takes a second or two.",
    ),
    ("look-stranger", "Not recognised yet. Come a little nearer, or use your card."),
    ("terms-title", "Become a member"),
    ("terms-what", "What is kept"),
    (
        "terms-what-1",
        "What you buy with your card or while you are recognised as a member, before which shelves you stop where you are recognised, where suggestions were shown to you, and what you choose to tell us of your tastes.",
    ),
    (
        "terms-what-2",
        "With your face, in addition: a sealed mathematical template. No picture, ever. No name is asked.",
    ),
    ("terms-why", "Why"),
    (
        "terms-why-1",
        "To suggest products that are worth your while, each with its reason. Nothing leaves this shop, and nothing is sold.",
    ),
    ("terms-long", "How long"),
    ("terms-long-1", "Purchases for {n} days. Your membership until you leave."),
    ("terms-leave", "How to leave"),
    (
        "terms-leave-1",
        "At this screen: \"What you know about me\", then \"Forget me\". It is done at once. Or ask our staff.",
    ),
    ("terms-text", "The text you agree to"),
    ("terms-age", "I am {n} or older"),
    ("agree-card", "I agree: with a card"),
    ("agree-face", "I agree: with my face"),
    ("agree-same", "Both have the same benefits. A card is always included."),
    ("too-young", "Sorry: members must be {n} or older. Nothing was kept."),
    ("join-title", "Three good pictures"),
    ("join-text", "Nothing is kept until all three are good. \"Back\" leaves nothing behind."),
    ("hint-good", "Good. One more"),
    ("hint-hold", "Good, stay like that"),
    ("hint-nearer", "Please come nearer"),
    ("hint-light", "More even light, please"),
    ("hint-look-here", "Please look at the camera"),
    ("hint-alone", "One face only, please"),
    ("hint-still", "Hold still for a moment"),
    ("hint-middle", "Move into the middle"),
    ("hint-again", "Let us begin again: one person, looking here"),
    ("known", "You seem to be a member already. Go back and choose \"Recognise me\", or use your card."),
    ("joined-title", "You are a member"),
    ("joined-face", "From now on you are recognised here. Your card works too."),
    ("joined-card", "Show this card whenever you want your suggestions."),
    ("joined-keep", "Photograph this code now, or print it. It is the only time it is shown in full."),
    ("print", "Print the card"),
    ("to-slate", "Show my suggestions"),
    ("slate-title", "For you, today"),
    ("slate-none", "There is nothing to suggest right now. Buy a few things with your card first."),
    ("why", "Why"),
    ("where", "Where is it?"),
    ("map-here", "You are here"),
    ("map-alt", "Map of the shop. Marked: {place}."),
    ("alike", "More like this"),
    ("alike-common", "In common: {what}"),
    ("alike-none", "There is nothing like it here now."),
    ("not-for-me", "Not for me"),
    ("list-add", "Onto my list"),
    ("list-remove", "Off my list"),
    ("list", "My shopping list"),
    ("list-text", "Scan this with your phone. The list is in the code: no internet is needed."),
    ("list-cut", "{n} more did not fit into the code."),
    ("mine", "What you know about me"),
    ("mine-since", "Member since"),
    ("mine-card", "Card"),
    ("mine-face", "Your face"),
    ("mine-face-yes", "{n} sealed templates, no picture"),
    ("mine-face-no", "nothing of it is kept"),
    ("mine-agreed", "You agreed to"),
    ("mine-agreed-face", "being recognised by your face"),
    ("mine-agreed-card", "keeping your purchases"),
    ("mine-knows", "What follows from your purchases"),
    ("mine-told", "What you told us"),
    ("mine-told-none", "nothing"),
    ("facts", "Tell us or correct it"),
    ("facts-title", "What we may know of your tastes"),
    (
        "facts-text",
        "Tick what is true. It is kept sealed, used for your suggestions only, and you can take it back here at any time. What you leave out is never given as a reason.",
    ),
    ("facts-leaves-out", "Leave this out"),
    ("facts-likes", "I prefer"),
    ("facts-categories", "I like"),
    ("facts-brands", "Brands that I like"),
    ("facts-none", "Nothing that could be told would change anything in this shop yet."),
    ("facts-many", "At most {n} can be kept. Please take some off."),
    ("facts-save", "Save"),
    ("facts-saved", "Saved. Your suggestions follow it from now on."),
    ("pause", "Pause recognising me"),
    ("resume", "Recognise me again"),
    ("paused", "Recognition is paused. Your card goes on working."),
    ("resumed", "You are recognised again."),
    ("export", "Give me a copy"),
    ("export-text", "Scan this with a phone in the shop's network. It works once, for {n} minutes."),
    ("forget", "Forget me"),
    (
        "forget-sure",
        "Everything about you is erased at once and for good: your template, your visits, your suggestions. Your card stops working. This cannot be undone.",
    ),
    ("forget-yes", "Yes, forget me now"),
    ("forget-no", "No, keep my membership"),
    ("forgotten", "You are forgotten"),
    (
        "forgotten-text",
        "Done on {at}. Erased: {templates} templates, {visits} visits, {slates} slates. The till's {receipts_kept} receipts stay without you. Entry {entry} of the shop's audit book says that it was done, not who you were.",
    ),
    ("still-there", "Are you still there? This screen clears itself in {n} s."),
    ("still-yes", "I am still here"),
    ("away", "Reconnecting"),
    ("failed", "That did not work. Please try again, or ask our staff."),
    ("goodbye", "Goodbye"),
];

const ZH: Words = &[
    ("welcome", "欢迎光临"),
    ("invite", "为您挑选的推荐，每一条都有理由。由您决定是否需要。"),
    (
        "notice",
        "只有当您选择“识别我”或“成为会员”时，才会使用本屏幕的摄像头。现在它是关闭的。画面只看一瞬间，从不保存。不是会员，就不会保存任何关于您的信息。",
    ),
    (
        "notice-fixed",
        "本店的摄像头看着这个位置。它只识别同意识别的会员，不识别其他任何人。画面只看一瞬间，从不保存。",
    ),
    ("use-card", "用会员卡"),
    ("use-card-more", "优惠完全相同，无需人脸识别"),
    ("recognise", "识别我"),
    ("recognise-more", "适用于已登记人脸的会员"),
    ("join", "成为会员"),
    ("join-more", "用卡或用人脸，不到一分钟"),
    ("timeout", "{n} 秒无人触摸，本屏幕会清除所有内容。"),
    ("other-language", "English"),
    ("back", "返回"),
    ("done", "完成"),
    ("home", "重新开始"),
    ("card-title", "您的会员卡"),
    ("card-hold", "请把卡上的二维码对准摄像头，或输入卡号。"),
    ("card-number", "卡号"),
    ("card-go", "继续"),
    ("card-camera", "用摄像头读取"),
    ("card-unknown", "没有这张会员卡，请核对卡号。"),
    ("card-wait", "尝试次数过多，请稍等一分钟，或询问店员。"),
    ("camera-none", "本屏幕没有可用的摄像头。请输入卡号，或询问店员。"),
    ("look-title", "请看摄像头"),
    ("look-text", "我们只与同意识别的会员进行比对，只需一两秒。"),
    ("look-stranger", "还没有认出您。请靠近一点，或使用会员卡。"),
    ("terms-title", "成为会员"),
    ("terms-what", "保存什么"),
    (
        "terms-what-1",
        "您用会员卡或被识别为会员时购买的商品，识别到您时您停留过的货架，向您展示过推荐的位置，以及您自愿告诉我们的喜好。",
    ),
    ("terms-what-2", "如使用人脸，另加一个加密的数学模板。绝不保存照片，也不询问姓名。"),
    ("terms-why", "为什么"),
    ("terms-why-1", "为了推荐真正值得您看的商品，并说明理由。任何信息都不会离开本店，也不会出售。"),
    ("terms-long", "保存多久"),
    ("terms-long-1", "购物记录保存 {n} 天。会员资格保留到您退出为止。"),
    ("terms-leave", "如何退出"),
    ("terms-leave-1", "在本屏幕选择“你们知道我什么”，再选择“忘记我”，立即生效。也可以请店员帮忙。"),
    ("terms-text", "您同意的文本"),
    ("terms-age", "我已年满 {n} 岁"),
    ("agree-card", "我同意：用会员卡"),
    ("agree-face", "我同意：用人脸"),
    ("agree-same", "两种方式优惠相同，都附带会员卡。"),
    ("too-young", "抱歉：会员须年满 {n} 岁。没有保存任何信息。"),
    ("join-title", "三张清晰的画面"),
    ("join-text", "三张都合格之前，不保存任何内容。按“返回”不会留下任何痕迹。"),
    ("hint-good", "很好，再来一张"),
    ("hint-hold", "很好，请保持"),
    ("hint-nearer", "请靠近一点"),
    ("hint-light", "请到光线均匀的地方"),
    ("hint-look-here", "请看摄像头"),
    ("hint-alone", "请只让一个人入镜"),
    ("hint-still", "请稍微站稳"),
    ("hint-middle", "请站到中间"),
    ("hint-again", "我们重新开始：一个人，看这里"),
    ("known", "您似乎已经是会员。请返回选择“识别我”，或使用会员卡。"),
    ("joined-title", "您已成为会员"),
    ("joined-face", "从现在起，这里会认出您。会员卡同样有效。"),
    ("joined-card", "想看推荐时，出示这张卡即可。"),
    ("joined-keep", "请现在拍下或打印这个二维码。完整卡号只显示这一次。"),
    ("print", "打印会员卡"),
    ("to-slate", "查看我的推荐"),
    ("slate-title", "今日为您推荐"),
    ("slate-none", "暂时没有推荐。请先用会员卡购买几样商品。"),
    ("why", "理由"),
    ("where", "在哪里？"),
    ("map-here", "您在这里"),
    ("map-alt", "本店地图，已标出：{place}。"),
    ("alike", "更多类似商品"),
    ("alike-common", "共同点：{what}"),
    ("alike-none", "目前没有类似的商品。"),
    ("not-for-me", "不感兴趣"),
    ("list-add", "加入清单"),
    ("list-remove", "移出清单"),
    ("list", "我的购物清单"),
    ("list-text", "用手机扫一扫。清单就在二维码里，无需上网。"),
    ("list-cut", "还有 {n} 项放不进二维码。"),
    ("mine", "你们知道我什么"),
    ("mine-since", "入会日期"),
    ("mine-card", "会员卡"),
    ("mine-face", "您的人脸"),
    ("mine-face-yes", "{n} 个加密模板，没有照片"),
    ("mine-face-no", "没有保存任何内容"),
    ("mine-agreed", "您同意过"),
    ("mine-agreed-face", "人脸识别"),
    ("mine-agreed-card", "保存购物记录"),
    ("mine-knows", "从您的购物中得出"),
    ("mine-told", "您告诉我们的"),
    ("mine-told-none", "没有"),
    ("facts", "告知或更正喜好"),
    ("facts-title", "我们可以知道您哪些喜好"),
    (
        "facts-text",
        "请勾选符合的内容。它会加密保存，只用于给您的推荐，您随时可以在这里收回。您不要的内容绝不会作为理由显示。",
    ),
    ("facts-leaves-out", "请排除"),
    ("facts-likes", "我偏好"),
    ("facts-categories", "我喜欢"),
    ("facts-brands", "我喜欢的品牌"),
    ("facts-none", "目前在本店告知喜好不会改变任何推荐。"),
    ("facts-many", "最多保存 {n} 项，请取消一些。"),
    ("facts-save", "保存"),
    ("facts-saved", "已保存，今后的推荐会据此调整。"),
    ("pause", "暂停识别我"),
    ("resume", "恢复识别我"),
    ("paused", "识别已暂停，会员卡仍然有效。"),
    ("resumed", "已恢复识别。"),
    ("export", "给我一份副本"),
    ("export-text", "请用连接本店网络的手机扫码。只能使用一次，{n} 分钟内有效。"),
    ("forget", "忘记我"),
    ("forget-sure", "关于您的一切会立即永久删除：模板、到店记录和推荐。会员卡将失效，且无法恢复。"),
    ("forget-yes", "是的，现在忘记我"),
    ("forget-no", "不，保留会员资格"),
    ("forgotten", "已忘记您"),
    (
        "forgotten-text",
        "于 {at} 完成。已删除：{templates} 个模板、{visits} 次到店记录、{slates} 份推荐。收银台的 {receipts_kept} 张小票保留，但与您无关。本店审计簿第 {entry} 条记录了此事，但不记录您是谁。",
    ),
    ("still-there", "您还在吗？{n} 秒后本屏幕将清除所有内容。"),
    ("still-yes", "我还在"),
    ("away", "正在重新连接"),
    ("failed", "没有成功，请再试一次，或询问店员。"),
    ("goodbye", "再见"),
];

fn words(language: Language) -> Words {
    match language {
        Language::En => EN,
        Language::Zh => ZH,
    }
}

/// The words under a key; the key itself if there are none, which a test rules out.
pub(super) fn say(language: Language, key: &'static str) -> &'static str {
    words(language).iter().find(|(k, _)| *k == key).map_or(key, |(_, text)| text)
}

/// All words, for the page's script.
pub(super) fn all(language: Language) -> serde_json::Value {
    let entry = |(key, text): &(&str, &str)| ((*key).to_owned(), serde_json::Value::from(*text));
    words(language).iter().map(entry).collect::<serde_json::Map<_, _>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_says_the_same_things_with_the_same_facts() {
        assert_eq!(EN.len(), ZH.len());
        for ((key, en), (other, zh)) in EN.iter().zip(ZH) {
            assert_eq!(key, other);
            let facts = |text: &str| -> std::collections::BTreeSet<String> {
                text.split('{').skip(1).filter_map(|t| t.split_once('}')).map(|t| t.0.to_owned()).collect()
            };
            assert_eq!(facts(en), facts(zh), "{key}");
        }
    }

    #[test]
    fn every_word_that_the_page_and_its_script_ask_for_exists() {
        let script = include_str!("../assets/kiosk.js");
        let page = include_str!("page.rs");
        for (source, open) in [(script, "say(\""), (page, "w(\"")] {
            for key in source.split(open).skip(1).filter_map(|rest| rest.split('"').next()) {
                assert!(EN.iter().any(|(k, _)| *k == key), "nothing is said for {key:?}");
            }
        }
    }
}
