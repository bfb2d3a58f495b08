"""A model for MLServer that tells its name and version. A stream of it has two parts; the
second waits for the file `go` in the server's folder."""

import asyncio
from pathlib import Path

from mlserver import MLModel
from mlserver.codecs import StringCodec
from mlserver.types import InferenceResponse

GO = Path.cwd() / "go"


class Named(MLModel):
    async def predict(self, payload):
        return self._response("all")

    async def predict_stream(self, payloads):
        yield self._response("first")
        while not GO.exists():
            await asyncio.sleep(0.01)
        yield self._response("last")

    def _response(self, part):
        words = [self.name, self.version or "", part]
        outputs = [StringCodec.encode_output("words", words)]
        return InferenceResponse(model_name=self.name, model_version=self.version, outputs=outputs)
