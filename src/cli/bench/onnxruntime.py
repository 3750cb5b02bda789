"""Times networks in onnxruntime for `shopguide bench vision`: one thread, a JSON object a line.

In: {"load": file, "input": name, "shape": [..], "mean": [..], "scale": [..]} or
{"run": number, "times": n}. Out: {"model": number}, {"microseconds": [..]} or {"error": words}.
"""

import json
import sys
import time


def say(answer):
    print(json.dumps(answer), flush=True)


try:
    import numpy
    import onnxruntime
except ImportError as error:
    say({"error": str(error)})
    sys.exit()
say({"version": onnxruntime.__version__})

models = []


def load(asked):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(asked["load"], options, providers=["CPUExecutionProvider"])
    index = numpy.arange(numpy.prod(asked["shape"]), dtype=numpy.uint64)
    pixels = (((index * 2654435761) & 0xFFFFFFFF) >> 24).astype(numpy.float32).reshape(asked["shape"])
    plane = [1, 3, 1, 1]
    values = (pixels - numpy.reshape(asked["mean"], plane)) * numpy.reshape(asked["scale"], plane)
    models.append((session, {asked["input"]: values.astype(numpy.float32)}))
    return {"model": len(models) - 1}


def run(asked):
    session, feed = models[asked["run"]]
    times = []
    for _ in range(asked["times"]):
        begin = time.perf_counter_ns()
        session.run(None, feed)
        times.append((time.perf_counter_ns() - begin) / 1000)
    return {"microseconds": times}


for line in sys.stdin:
    asked = json.loads(line)
    try:
        say(load(asked) if "load" in asked else run(asked))
    except Exception as error:
        say({"error": str(error)})
