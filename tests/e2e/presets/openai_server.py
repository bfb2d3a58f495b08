"""OpenAI's API: chat by LitServe's OpenAISpec, and what that lacks by a stand-in in the same
server. A streamed answer has two parts; the second waits for the file `go` in the folder.

Argument: the port.
"""

import itertools
import sys
import time
from pathlib import Path

import litserve
from fastapi import Request
from fastapi.responses import JSONResponse, Response

GO = Path.cwd() / "go"
MODELS = ["acme/large", "acme-small", "globex-model", "nobodys"]


class Parrot(litserve.LitAPI):
    def setup(self, device):
        pass

    def predict(self, request):
        yield "heard: "
        while request.stream and not GO.exists():
            time.sleep(0.01)
        content = request.messages[-1].content
        yield content if isinstance(content, str) else " ".join(part.text for part in content)


def add_the_rest(app):
    files = {}
    numbers = itertools.count(1)

    def missing():
        return JSONResponse({"error": {"message": "No such File object", "type": "invalid_request_error", "param": "id", "code": None}}, 404)

    def model(name):
        return {"id": name, "object": "model", "created": 0, "owned_by": "stand-in"}

    def listed(items):
        ends = {"first_id": items[0]["id"], "last_id": items[-1]["id"]} if items else {}
        return {"object": "list", "data": items, "has_more": False, **ends}

    @app.get("/v1/models")
    async def models():
        return {"object": "list", "data": [model(name) for name in MODELS]}

    @app.get("/v1/models/{name:path}")
    async def one_model(name: str):
        return model(name)

    @app.post("/v1/completions")
    async def completions(request: Request):
        body = await request.json()
        choice = {"index": 0, "text": "heard: " + body["prompt"], "finish_reason": "stop", "logprobs": None}
        return {"id": "cmpl-1", "object": "text_completion", "created": 0, "model": body["model"], "choices": [choice]}

    @app.post("/v1/embeddings")
    async def embeddings(request: Request):
        body = await request.json()
        data = [{"object": "embedding", "index": 0, "embedding": [0.5, -0.25]}]
        return {"object": "list", "data": data, "model": body["model"], "usage": {"prompt_tokens": 1, "total_tokens": 1}}

    @app.post("/v1/responses")
    async def responses(request: Request):
        body = await request.json()
        text = {"type": "output_text", "text": f"store: {body.get('store')}", "annotations": []}
        message = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [text]}
        return {
            "id": "resp_1", "object": "response", "created_at": 0, "status": "completed", "model": body["model"],
            "output": [message], "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
        }  # fmt: skip

    @app.get("/v1/files")
    async def list_files():
        return listed([file for file, _ in files.values()])

    @app.post("/v1/files")
    async def create_file(request: Request):
        form = await request.form()
        content = await form["file"].read()
        name = f"file-{next(numbers)}"
        file = {
            "id": name, "object": "file", "bytes": len(content), "created_at": 0,
            "filename": form["file"].filename, "purpose": form["purpose"], "status": "processed",
        }  # fmt: skip
        files[name] = (file, content)
        return file

    @app.get("/v1/files/{name}")
    async def one_file(name: str):
        return files[name][0] if name in files else missing()

    @app.get("/v1/files/{name}/content")
    async def content(name: str):
        return Response(files[name][1], media_type="application/octet-stream") if name in files else missing()

    @app.delete("/v1/files/{name}")
    async def delete(name: str):
        if files.pop(name, None) is None:
            return missing()
        return {"id": name, "object": "file", "deleted": True}


if __name__ == "__main__":
    server = litserve.LitServer(Parrot(spec=litserve.OpenAISpec()), accelerator="cpu")
    add_the_rest(server.app)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, num_api_servers=1)
