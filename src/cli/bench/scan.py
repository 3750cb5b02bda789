"""Times the scoring of all products by others for `shopguide bench recommend`: one thread, a JSON
object a line.

In: {"prepare": [products, numbers]} or {"run": name, "times": n}. Out: {"names": [..], "left_out": [..]},
{"microseconds": [..]} or {"error": words}.
"""

import json
import sys
import time


def say(answer):
    print(json.dumps(answer), flush=True)


try:
    import numpy
except ImportError as error:
    say({"error": str(error)})
    sys.exit()
say({"python": sys.version.split()[0]})

runs = {}


def with_onnxruntime(table):
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    def session(operator, weights, inputs, kind, answer):
        """The product of one row with a constant matrix, which the runtime may lay out as it likes."""
        graph = helper.make_graph(
            [helper.make_node(operator, ["x", "w"], ["y"])],
            "scan",
            [helper.make_tensor_value_info("x", kind, inputs.shape)],
            [helper.make_tensor_value_info("y", answer, [1, weights.shape[1]])],
            [numpy_helper.from_array(numpy.ascontiguousarray(weights), "w")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        one = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        # Input and output stay where they are: nothing is made or copied for a run.
        bound = one.io_binding()
        bound.bind_ortvalue_input("x", onnxruntime.OrtValue.ortvalue_from_numpy(inputs))
        out = numpy.zeros((1, weights.shape[1]), numpy.int32 if answer == TensorProto.INT32 else numpy.float32)
        bound.bind_ortvalue_output("y", onnxruntime.OrtValue.ortvalue_from_numpy(out))
        return lambda: one.run_with_iobinding(bound)

    version = onnxruntime.__version__
    scale = numpy.abs(table).max(1, keepdims=True) / 127
    bytes_ = numpy.rint(table / scale).astype(numpy.int8).T
    probe = numpy.full((1, table.shape[1]), 131, numpy.uint8)
    runs[f"onnxruntime {version} MatMulInteger"] = session(
        "MatMulInteger", bytes_, probe, TensorProto.UINT8, TensorProto.INT32
    )
    runs[f"onnxruntime {version} MatMul f32"] = session(
        "MatMul", table.T, probe.astype(numpy.float32), TensorProto.FLOAT, TensorProto.FLOAT
    )


def with_faiss(table):
    import faiss

    faiss.omp_set_num_threads(1)
    index = faiss.IndexFlatIP(table.shape[1])
    index.add(table)
    probe = numpy.ones((1, table.shape[1]), numpy.float32)
    runs[f"faiss {faiss.__version__} flat, best 20"] = lambda: index.search(probe, 20)


def prepare(size):
    table = numpy.random.default_rng(1).standard_normal(size, numpy.float32)
    left_out = []
    for peers in (with_onnxruntime, with_faiss):
        try:
            peers(table)
        except ImportError as error:
            left_out.append(str(error))
    return {"names": list(runs), "left_out": left_out}


def run(asked):
    one, times = runs[asked["run"]], []
    for _ in range(asked["times"]):
        begin = time.perf_counter_ns()
        one()
        times.append((time.perf_counter_ns() - begin) / 1000)
    return {"microseconds": times}


for line in sys.stdin:
    asked = json.loads(line)
    try:
        say(prepare(asked["prepare"]) if "prepare" in asked else run(asked))
    except Exception as error:
        say({"error": str(error)})
