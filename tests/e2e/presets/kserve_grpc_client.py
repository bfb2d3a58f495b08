"""Calls MLServer by gRPC through the gateway and prints what each call came to, as JSON.

Arguments: address of the gateway, keys of an owner and a viewer of the model `fraud`, one of
somebody else, and one of whoever may infer with its version 1.
"""

import json
import sys

import grpc
from mlserver.grpc import dataplane_pb2 as pb
from mlserver.grpc import model_repository_pb2 as repository_pb
from mlserver.grpc.dataplane_pb2_grpc import GRPCInferenceServiceStub
from mlserver.grpc.model_repository_pb2_grpc import ModelRepositoryServiceStub

address, owner, viewer, stranger, tester = sys.argv[1:]
SERVICE = "/inference.GRPCInferenceService/"


def metadata(key):
    return [("authorization", f"Bearer {key}")] if key else []


def infer(model, version="", length=1):
    tensor = pb.ModelInferRequest.InferInputTensor(name="x", datatype="FP32", shape=[length])
    tensor.contents.fp32_contents.extend([1.0] * length)
    return pb.ModelInferRequest(model_name=model, model_version=version, inputs=[tensor])


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
    repository = ModelRepositoryServiceStub(channel)

    def inferred(key, *of, **more):
        return lambda: words(stub.ModelInfer(infer(*of), metadata=metadata(key), **more))

    def ready(key, name):
        return lambda: stub.ModelReady(pb.ModelReadyRequest(name=name), metadata=metadata(key)).ready

    def described(key, name):
        return lambda: stub.ModelMetadata(pb.ModelMetadataRequest(name=name), metadata=metadata(key)).name

    def raw(key, method, message):
        """Sends bytes as a message, as they are."""
        call = channel.unary_unary(SERVICE + method, request_serializer=bytes, response_deserializer=bytes)
        return lambda: len(call(message, metadata=metadata(key))) >= 0

    def loaded(key, name, stub=stub, messages=pb):
        request = messages.RepositoryModelLoadRequest(model_name=name)
        return lambda: str(stub.RepositoryModelLoad(request, metadata=metadata(key)))

    def unloaded(key, name, stub=stub, messages=pb):
        request = messages.RepositoryModelUnloadRequest(model_name=name)
        return lambda: str(stub.RepositoryModelUnload(request, metadata=metadata(key)))

    def streamed(key):
        answers = stub.ModelStreamInfer(iter([infer("fraud")]), metadata=metadata(key))
        return lambda: [words(answer) for answer in answers]

    def listed(stub, messages):
        request = messages.RepositoryIndexRequest()
        return lambda: len(stub.RepositoryIndex(request, metadata=metadata(owner)).models)

    def unload_with(value):
        """Triton's parameter `unload_dependents`, which MLServer passes over."""
        entry = b"\x0a\x11unload_dependents\x12\x02\x08" + bytes([value])
        return b"\x12\x05fraud\x1a" + bytes([len(entry)]) + entry

    twice = infer("fraud").SerializeToString() + infer("churn").SerializeToString()
    override = b"\x12\x05fraud\x1a\x0e\x0a\x06config\x12\x04\x1a\x02{}"
    calls = {
        "live, no key": lambda: stub.ServerLive(pb.ServerLiveRequest()).live,
        "ready, no key": lambda: stub.ServerReady(pb.ServerReadyRequest()).ready,
        "server, no key": lambda: stub.ServerMetadata(pb.ServerMetadataRequest()).name,
        "server": lambda: stub.ServerMetadata(pb.ServerMetadataRequest(), metadata=metadata(viewer)).name,
        "model": described(viewer, "fraud"),
        "model, another's": described(stranger, "fraud"),
        "model, none such": described(stranger, "none-such"),
        "model ready": ready(viewer, "fraud"),
        "model ready, another's": ready(stranger, "fraud"),
        "model ready, no key": ready("", "fraud"),
        "infer": inferred(owner, "fraud"),
        "infer, a version": inferred(owner, "fraud", "1"),
        "infer, a viewer": inferred(viewer, "fraud"),
        "infer, another's": inferred(owner, "churn"),
        "infer, nobody's": inferred(owner, "nobodys"),
        "infer, none such": inferred(owner, "none-such"),
        "infer, bound to a version": inferred(tester, "fraud", "1"),
        "infer, bound to another": inferred(tester, "fraud", "2"),
        "infer, bound, none named": inferred(tester, "fraud"),
        "infer, no name": inferred(owner, ""),
        "infer, the other": inferred(stranger, "churn"),
        "infer, two names": raw(owner, "ModelInfer", twice),
        "infer, no message": raw(owner, "ModelInfer", b"\xff\xff"),
        "infer, compressed": inferred(owner, "fraud", "1", 1000, compression=grpc.Compression.Gzip),
        "infer, 60 KB": inferred(owner, "fraud", "1", 15_000),
        "infer, 500 KB": inferred(owner, "fraud", "1", 125_000),
        "infer, over 1 MiB": inferred(owner, "fraud", "1", 300_000),
        "infer, a stream": streamed(owner),
        "statistics, of all": raw(owner, "ModelStatistics", b""),
        "index": listed(stub, pb),
        "index, the other service": listed(repository, repository_pb),
        "unload, a viewer": unloaded(viewer, "fraud"),
        "unload, another's": unloaded(owner, "churn"),
        "unload, dependents": raw(owner, "RepositoryModelUnload", unload_with(1)),
        "unload, alone": raw(owner, "RepositoryModelUnload", unload_with(0)),
        "infer, unloaded": inferred(owner, "fraud"),
        "load, with a configuration": raw(owner, "RepositoryModelLoad", override),
        "load, from a folder": raw(owner, "RepositoryModelLoad", b"\x0a\x01/\x12\x05fraud"),
        "load, another's": loaded(stranger, "fraud", repository, repository_pb),
        "load": loaded(owner, "fraud", repository, repository_pb),
        "infer, loaded": inferred(owner, "fraud"),
        "shared memory": raw(owner, "SystemSharedMemoryRegister", b""),
        "trace": raw(owner, "TraceSetting", b""),
        "log": raw(owner, "LogSettings", b""),
        "no such method": raw(owner, "None", b""),
    }
    for name, call in calls.items():
        print(json.dumps([name, outcome(call)]), flush=True)
