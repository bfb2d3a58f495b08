"""A model for the tests: echoes its input, once or piece by piece, after a pause if asked."""

import asyncio

from mlserver import MLModel
from mlserver.codecs import StringCodec
from mlserver.types import InferenceResponse


class Echo(MLModel):
    async def predict(self, payload):
        words = StringCodec.decode_input(payload.inputs[0])
        if words[0].startswith("wait"):
            await asyncio.sleep(30)
        if words[0] == "fail":
            raise ValueError("asked to fail")
        return self._response(words)

    async def predict_stream(self, payloads):
        async for payload in payloads:
            for word in StringCodec.decode_input(payload.inputs[0]):
                yield self._response([word])

    def _response(self, words):
        output = StringCodec.encode_output("echo", words)
        return InferenceResponse(model_name=self.name, outputs=[output])
