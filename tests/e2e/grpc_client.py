"""Calls MLServer by gRPC through the gateway and prints what each call came to, as JSON.

Arguments: address of the gateway, a key that may infer, a key that may not.
"""

import json
import sys

import grpc
from mlserver.grpc import dataplane_pb2 as pb
from mlserver.grpc.dataplane_pb2_grpc import GRPCInferenceServiceStub

address, key, weak = sys.argv[1:]


def metadata(key):
    return [("authorization", f"Bearer {key}")]


def infer(*words):
    tensor = pb.ModelInferRequest.InferInputTensor(name="words", datatype="BYTES", shape=[len(words)])
    tensor.contents.bytes_contents.extend(word.encode() for word in words)
    return pb.ModelInferRequest(model_name="echo", inputs=[tensor])


def words(response):
    return [word.decode() for word in response.outputs[0].contents.bytes_contents]


def outcome(call):
    """What the call returned, or the name of its status."""
    try:
        return call()
    except grpc.RpcError as error:
        return error.code().name


with grpc.insecure_channel(address) as channel:
    grpc.channel_ready_future(channel).result(timeout=20)
    stub = GRPCInferenceServiceStub(channel)
    stranger = channel.unary_unary(
        "/inference.GRPCInferenceService/None",
        request_serializer=pb.ServerLiveRequest.SerializeToString,
        response_deserializer=pb.ServerLiveResponse.FromString,
    )
    big = "x" * 1_000_000

    def unary(key, *of, **more):
        return lambda: words(stub.ModelInfer(infer(*of), metadata=metadata(key), **more))

    def stream(key):
        requests = iter([infer("a", "b"), infer("c")])
        answers = stub.ModelStreamInfer(requests, metadata=metadata(key))
        return lambda: [words(answer) for answer in answers]

    calls = {
        "live": lambda: stub.ServerLive(pb.ServerLiveRequest(), metadata=metadata(key)).live,
        "unary": unary(key, "hello", "world"),
        "big": lambda: len(unary(key, big)()[0]),
        "stream": stream(key),
        "failing model": unary(key, "fail"),
        "deadline": unary(key, "wait", timeout=0.5),
        "no key": lambda: stub.ServerLive(pb.ServerLiveRequest()).live,
        "garbage key": unary("garbage", "hello"),
        "weak key": unary(weak, "hello"),
        "weak key, stream": stream(weak),
        "no such method": lambda: stranger(pb.ServerLiveRequest(), metadata=metadata(key)),
        "after all": unary(key, "again"),
    }
    for name, call in calls.items():
        print(json.dumps([name, outcome(call)]), flush=True)
