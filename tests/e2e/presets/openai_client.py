"""Calls OpenAI's API through the gateway with OpenAI's own client, and prints what each call
came to, as JSON.

Arguments: address of the gateway, a key of the models' project, another project's.
"""

import json
import sys

import openai

address, key, stranger = sys.argv[1:]


def client(key):
    return openai.OpenAI(base_url=f"http://{address}/v1", api_key=key, max_retries=0)


def outcome(call):
    """What the call returned, or the exception that the client made of the refusal."""
    try:
        return call()
    except openai.APIStatusError as error:
        return [type(error).__name__, error.status_code, (error.body or {}).get("message")]


own, other, unknown = client(key), client(stranger), client("pcl_live_none")
SAID = [{"role": "user", "content": "hi"}]
PARTS = [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]


def with_file(file):
    return [{"role": "user", "content": [{"type": "file", "file": {"file_id": file}}, {"type": "text", "text": "hi"}]}]


def chat(client, model="acme-small", **more):
    arguments = {"messages": SAID, **more}
    return lambda: client.chat.completions.create(model=model, **arguments).choices[0].message.content


def respond(client, model="acme-small", **more):
    arguments = {"input": "hi", **more}
    return lambda: client.responses.create(model=model, **arguments).output_text


def ids(page):
    return [item.id for item in page]


uploaded = own.files.create(file=("rows.jsonl", b'{"a": 1}\n' * 50_000), purpose="batch")
foreign = other.files.create(file=("theirs.jsonl", b"{}"), purpose="batch")
raw = own.files.with_raw_response.list()

calls = {
    "chat": chat(own),
    "chat, a name with a slash": chat(own, "acme/large"),
    "chat, content in parts": chat(own, messages=PARTS),
    "chat, another's model": chat(own, "globex-model"),
    "chat, nobody's model": chat(own, "nobodys"),
    "chat, no such model": chat(own, "none-such"),
    "chat, the other": chat(other, "globex-model"),
    "chat, no key": chat(unknown),
    "chat, kept": chat(own, store=True),
    "chat, another's memory": chat(own, extra_body={"kv_transfer_params": {"remote_host": "h"}}),
    "chat, own file": chat(own, messages=with_file(uploaded.id)),
    "chat, another's file": chat(own, messages=with_file(foreign.id)),
    "completion": lambda: own.completions.create(model="acme-small", prompt="hi").choices[0].text,
    "completion, another's model": lambda: own.completions.create(model="globex-model", prompt="hi"),
    "embedding": lambda: own.embeddings.create(model="acme-small", input="hi", encoding_format="float").data[0].embedding,
    "embedding, another's model": lambda: own.embeddings.create(model="globex-model", input="hi"),
    "response": respond(own),
    "response, to be kept": respond(own, store=True),
    "response, items": respond(own, input=[{"role": "user", "content": "hi"}]),
    "response, another's model": respond(own, "globex-model"),
    "response, continued": respond(own, previous_response_id="resp_1"),
    "response, of a conversation": respond(own, conversation="conv_1"),
    "response, in the background": respond(own, background=True),
    "response, a kept item": respond(own, input=[{"type": "item_reference", "id": "msg_1"}]),
    "response, own tool": respond(own, tools=[{"type": "function", "name": "f", "parameters": {}, "strict": True}]),
    "response, a tool of the server": respond(own, tools=[{"type": "file_search", "vector_store_ids": ["vs_1"]}]),
    "response, another's file": respond(
        own, input=[{"role": "user", "content": [{"type": "input_file", "file_id": foreign.id}]}]
    ),
    "response, fetched": lambda: own.responses.retrieve("resp_1"),
    "models": lambda: ids(own.models.list()),
    "models, the other": lambda: ids(other.models.list()),
    "model": lambda: own.models.retrieve("acme-small").id,
    "model, another's": lambda: own.models.retrieve("globex-model").id,
    "model, deleted": lambda: own.models.delete("acme-small"),
    "files": lambda: ids(own.files.list()) == [uploaded.id],
    "files, of another not a word": lambda: foreign.id not in raw.text,
    "file": lambda: own.files.retrieve(uploaded.id).filename,
    "file, another's": lambda: other.files.retrieve(uploaded.id),
    "file, content": lambda: len(own.files.content(uploaded.id).read()),
    "file, another's content": lambda: other.files.content(uploaded.id),
    "file, deleted by another": lambda: other.files.delete(uploaded.id),
    "file, deleted": lambda: own.files.delete(uploaded.id).deleted,
    "file, deleted before": lambda: own.files.retrieve(uploaded.id),
    "batch": lambda: own.batches.create(input_file_id="file-1", endpoint="/v1/chat/completions", completion_window="24h"),
    "fine-tuning": lambda: own.fine_tuning.jobs.create(training_file="file-1", model="acme-small"),
    "vector stores": lambda: ids(own.vector_stores.list()),
    "moderation": lambda: own.moderations.create(model="globex-model", input="hi"),
    "transcription": lambda: own.audio.transcriptions.create(model="acme-small", file=("a.wav", b"RIFF")),
}
for name, call in calls.items():
    print(json.dumps([name, outcome(call)]), flush=True)
