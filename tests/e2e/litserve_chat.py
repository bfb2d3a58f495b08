"""OpenAI's chat API by LitServe, without a model: it answers what it heard."""

import sys

import litserve


class Parrot(litserve.LitAPI):
    def setup(self, device):
        pass

    def predict(self, request):
        yield "heard: " + request.messages[-1].content


if __name__ == "__main__":
    server = litserve.LitServer(Parrot(spec=litserve.OpenAISpec()), accelerator="cpu")
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False)
