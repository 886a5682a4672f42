//! Conversations as prompts: texts and ids of fifteen chat templates compared with transformers
//! (`fixtures/chat/make_chat.py`), and where each message is in them.

#![allow(clippy::unwrap_used, reason = "a test that fails there says so")]

use std::path::{Path, PathBuf};

use arrakis::models::{Bos, Chat, ChatOptions, HookedAutoModel, LoadOptions, Message, Tokenizer};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// `chat.json`.
#[derive(Deserialize)]
struct Recorded {
    date: String,
    chats: Vec<Conversation>,
    families: Vec<Family>,
}

#[derive(Deserialize)]
struct Conversation {
    name: String,
    messages: Vec<Message>,
    options: Map<String, Value>,
}

#[derive(Deserialize)]
struct Family {
    template: String,
    tokenizer: String,
    special: Vec<String>,
    roles: Map<String, Value>,
    answers: Vec<Answer>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Refused { refused: String },
    Text { text: String, ids: Vec<u32>, mask: Option<Vec<u32>> },
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn template(name: &str) -> String {
    std::fs::read_to_string(fixtures().join(format!("chat/templates/{name}.jinja"))).unwrap()
}

fn recorded() -> Recorded {
    serde_json::from_str(&std::fs::read_to_string(fixtures().join("chat/chat.json")).unwrap()).unwrap()
}

/// A folder with a family's tokenizer, without its template.
fn folder(family: &Family) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let json = fixtures().join("tokenizers").join(&family.tokenizer).join("tokenizer.json");
    std::fs::copy(json, folder.path().join("tokenizer.json")).unwrap();
    let mut settings = family.roles.clone();
    settings.insert("tokenizer_class".into(), "PreTrainedTokenizerFast".into());
    settings.insert("extra_special_tokens".into(), family.special.clone().into());
    std::fs::write(folder.path().join("tokenizer_config.json"), serde_json::to_string(&settings).unwrap()).unwrap();
    folder
}

fn load(family: &Family) -> Tokenizer {
    let folder = folder(family);
    std::fs::write(folder.path().join("chat_template.jinja"), template(&family.template)).unwrap();
    Tokenizer::from_folder(folder.path()).unwrap().unwrap()
}

/// The options of transformers as ours.
fn options(given: &Map<String, Value>, date: &str) -> ChatOptions {
    let mut options = ChatOptions::new().date(date);
    for (key, value) in given {
        options = match key.as_str() {
            "add_generation_prompt" => options.generation_prompt(),
            "continue_final_message" => options.continue_final_message(),
            "tools" => options.tools(value.as_array().unwrap().clone()),
            "documents" => options.documents(value.as_array().unwrap().clone()),
            _ => options.set(key, value.clone()),
        };
    }
    options
}

/// Calls `check` with every conversation that every family's template writes.
fn each(mut check: impl FnMut(&str, &Tokenizer, &Conversation, &Answer, Result<Chat, String>)) {
    let recorded = recorded();
    for family in &recorded.families {
        let tokenizer = load(family);
        for (chat, answer) in recorded.chats.iter().zip(&family.answers) {
            let ours = tokenizer.apply_chat_template(&chat.messages, &options(&chat.options, &recorded.date));
            let what = format!("{}, {}", family.template, chat.name);
            check(&what, &tokenizer, chat, answer, ours.map_err(|error| error.to_string()));
        }
    }
}

#[test]
fn texts_and_ids_are_those_of_transformers() {
    let (mut written, mut refused) = (0, 0);
    each(|what, _, _, answer, ours| match answer {
        Answer::Text { text, ids, .. } => {
            let ours = ours.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(&ours.text, text, "{what}");
            assert_eq!(&ours.ids, ids, "{what}");
            written += 1;
        }
        Answer::Refused { refused: theirs } => {
            let said = ours.expect_err(what);
            // The words of a template are kept; those of an engine differ.
            let of_template = theirs.contains("roles must alternate") || theirs.contains("not supported");
            assert!(
                said.starts_with("cannot render the chat template: ") && (!of_template || said.contains(theirs)),
                "{what}: {said}"
            );
            refused += 1;
        }
    });
    assert_eq!((written, refused), (153, 27));
}

#[test]
fn generated_positions_are_those_of_transformers() {
    let mut compared = 0;
    each(|what, _, _, answer, ours| {
        let Answer::Text { ids, mask: Some(mask), .. } = answer else { return };
        let generated = ours.unwrap().generated;
        let ours: Vec<u32> =
            (0..ids.len()).map(|at| u32::from(generated.iter().any(|range| range.contains(&at)))).collect();
        assert_eq!(&ours, mask, "{what}");
        compared += 1;
    });
    assert_eq!(compared, 11);
}

/// The tokens of a content, as text, are the content; the token before and the token after are not a part of it.
#[test]
fn each_content_is_found_where_it_is() {
    let (mut found, mut all) = (0, 0);
    each(|what, tokenizer, chat, _, ours| {
        let Ok(ours) = ours else { return };
        assert_eq!(ours.turns.len(), chat.messages.len(), "{what}");
        let encoded = tokenizer.encode_with_offsets(&ours.text, Bos::Omit).unwrap();
        for (message, turn) in chat.messages.iter().zip(&ours.turns) {
            let written = serde_json::to_value(message).unwrap();
            let Some(content) = written["content"].as_str().map(str::trim) else { continue };
            all += 1;
            let Some(tokens) = turn.content.clone() else { continue };
            found += 1;
            let bytes = encoded.offsets[tokens.start].0..encoded.offsets[tokens.end - 1].1;
            let text = ours.text[bytes].trim();
            // A template may cut off the reasoning of an answer.
            assert!(
                text.contains(content) || content.ends_with(text) && content.contains("</think>"),
                "{what}: {text:?} of {content:?}"
            );
            let spare = text.len() - content.len().min(text.len());
            assert!(spare <= 4, "{what}: {text:?} is more than {content:?}");
            assert!(
                turn.whole.as_ref().is_none_or(|whole| whole.start <= tokens.start && tokens.end <= whole.end),
                "{what}"
            );
        }
    });
    assert!(found * 100 >= all * 95, "{found} of {all} contents are found");
}

#[test]
fn turns_follow_each_other_up_to_the_generation_prompt() {
    let recorded = recorded();
    let chatml = recorded.families.iter().find(|family| family.template == "chatml").unwrap();
    let tokenizer = load(chatml);
    let messages: Vec<Message> =
        [("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello"), ("user", "Bye")].map(Message::from).into();
    let chat = tokenizer.apply_chat_template(&messages, &ChatOptions::new().generation_prompt()).unwrap();
    let whole: Vec<_> = chat.turns.iter().map(|turn| turn.whole.clone().unwrap()).collect();
    assert!(whole[0].start == 0 && whole.windows(2).all(|pair| pair[0].end == pair[1].start));
    let start = tokenizer.id("<|im_start|>").unwrap();
    assert!(whole.iter().all(|range| chat.ids[range.start] == start) && chat.ids[whole[3].end] == start);
    assert_eq!(tokenizer.decode(&chat.ids[chat.turns[2].content.clone().unwrap()]).unwrap(), "Hello");
    assert_eq!(tokenizer.decode(&chat.ids[whole[3].end..]).unwrap(), "<|im_start|>assistant\n");
}

/// A template's BOS is the only one, although the tokenizer adds one to texts.
#[test]
fn there_is_no_second_bos() {
    let recorded = recorded();
    for name in ["llama3", "gemma", "mistral"] {
        let tokenizer = load(recorded.families.iter().find(|family| family.template == name).unwrap());
        let bos = tokenizer.bos().unwrap();
        assert_eq!(tokenizer.encode("Hi", Bos::AsTokenizer).unwrap()[0], bos, "{name} adds one to texts");
        let chat = tokenizer.apply_chat_template(&[Message::user("Hi")], &ChatOptions::new()).unwrap();
        assert_eq!(chat.ids.iter().filter(|id| **id == bos).count(), 1, "{name}");
    }
}

#[test]
fn templates_come_from_files_then_from_the_config() {
    let family = &recorded().families[0];
    let folder = folder(family);
    let path = folder.path();
    let said = |options: ChatOptions| {
        let tokenizer = Tokenizer::from_folder(path).unwrap().unwrap();
        tokenizer
            .apply_chat_template(&[("user", "x").into()], &options)
            .map(|chat| chat.text)
            .map_err(|e| e.to_string())
    };
    let none = said(ChatOptions::new()).unwrap_err();
    assert_eq!(
        none,
        "the tokenizer has no chat template (`chat_template` in tokenizer_config.json, or chat_template.jinja): give one with \
         `ChatOptions::template`, or write the prompt as text"
    );
    assert_eq!(said(ChatOptions::new().template("{{ messages[0].content }}!")).unwrap(), "x!");
    let config = |template: Value| {
        let settings = json!({ "tokenizer_class": "GPT2Tokenizer", "chat_template": template });
        std::fs::write(path.join("tokenizer_config.json"), settings.to_string()).unwrap();
    };
    config("one".into());
    assert_eq!(said(ChatOptions::new()).unwrap(), "one");
    config(
        json!([{ "name": "default", "template": "two" }, { "name": "tool_use", "template": "{{ tools | length }}" }]),
    );
    assert_eq!(said(ChatOptions::new()).unwrap(), "two");
    assert_eq!(said(ChatOptions::new().tools([json!({})])).unwrap(), "1");
    let unknown = said(ChatOptions::new().template("tool-use")).unwrap_err();
    let expected = "cannot render the chat template: there is no template `tool-use`, there is `default`, `tool_use`; did you \
                    mean `tool_use`?";
    assert_eq!(unknown, expected);
    std::fs::create_dir(path.join("additional_chat_templates")).unwrap();
    std::fs::write(path.join("additional_chat_templates/rag.jinja"), "three").unwrap();
    assert_eq!(said(ChatOptions::new().template("rag")).unwrap(), "three");
    let nothing = said(ChatOptions::new()).unwrap_err();
    assert_eq!(nothing, "cannot render the chat template: no template is the default; name one of `rag`");
    std::fs::write(path.join("chat_template.jinja"), "four").unwrap();
    assert_eq!(said(ChatOptions::new()).unwrap(), "four");
}

#[test]
fn what_cannot_be_written_is_refused() {
    let tokenizer = load(&recorded().families[0]);
    let said = |messages: &[Message], options: ChatOptions| {
        tokenizer.apply_chat_template(messages, &options).unwrap_err().to_string()
    };
    let hi = [Message::user("Hi")];
    assert_eq!(
        said(&[], ChatOptions::new()),
        "cannot render the chat template: there are no messages; give at least one"
    );
    let both = said(&hi, ChatOptions::new().generation_prompt().continue_final_message());
    assert!(both.contains("ask for one of both"), "{both}");
    let date = said(&hi, ChatOptions::new().date("yesterday"));
    assert!(date.contains("the date `yesterday` is not one") && date.contains("write it as 2024-07-26"), "{date}");
    let lost = said(&hi, ChatOptions::new().template("{{ 'x' }}").continue_final_message());
    assert!(lost.contains("leaves out parts of the last message"), "{lost}");
}

/// A conversation runs like its ids, and its template is saved with the model.
#[test]
fn a_chat_is_a_prompt_of_its_model() {
    let (from, to) = (fixtures().join("parity/stories260K"), tempfile::tempdir().unwrap());
    for file in ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"] {
        std::fs::copy(from.join(file), to.path().join(file)).unwrap();
    }
    std::fs::write(to.path().join("chat_template.jinja"), template("zephyr")).unwrap();
    let load = |folder: &Path| {
        HookedAutoModel::load(folder.to_str().unwrap(), &LoadOptions::new().device("cpu").quiet()).unwrap()
    };
    let model = load(to.path());
    let chat = model.chat([("user", "Once upon a time")]).unwrap();
    assert_eq!(chat.text, "<|user|>\nOnce upon a time</s>\n<|assistant|>\n");
    assert_eq!(model.last_logits(&chat).unwrap(), model.last_logits(chat.ids.clone()).unwrap());
    let (own, hf) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    model.save_own(own.path()).unwrap();
    model.save_pretrained(hf.path()).unwrap();
    for folder in [own.path(), hf.path()] {
        let again = load(folder);
        assert_eq!(again.chat([("user", "Once upon a time")]).unwrap(), chat);
        let (ours, theirs) = (model.tokenizer().unwrap(), again.tokenizer().unwrap());
        assert_eq!((theirs.bos(), theirs.special(), theirs.roles()), (ours.bos(), ours.special(), ours.roles()));
        assert_eq!(again.fingerprint().unwrap(), model.fingerprint().unwrap());
    }
}
