"""Makes block.onnx, one small block of a transformer, and block.json, what ONNX's own evaluator computes for it.

The block: one head of attention and an MLP of two layers, both added to the stream, `[batch, pos, d_model]`.
Needs onnx and numpy; made with onnx 1.23.2. Run: python make_block.py
"""

import json
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

BATCH, POS, D_MODEL, D_MLP = 1, 4, 8, 16
rng = np.random.default_rng(0)


def weight(name, *shape):
    return numpy_helper.from_array((rng.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32), name)


def node(op, inputs, output, **attributes):
    return helper.make_node(op, inputs, [output], name=output, **attributes)


nodes = [
    node("MatMul", ["x", "w_q"], "q"),
    node("MatMul", ["x", "w_k"], "k"),
    node("MatMul", ["x", "w_v"], "v"),
    node("Transpose", ["k"], "k_t", perm=[0, 2, 1]),
    node("MatMul", ["q", "k_t"], "products"),
    node("Div", ["products", "root"], "scores"),
    node("Softmax", ["scores"], "pattern", axis=-1),
    node("MatMul", ["pattern", "v"], "z"),
    node("Add", ["x", "z"], "resid_mid"),
    node("MatMul", ["resid_mid", "w_in"], "products_in"),
    node("Add", ["products_in", "b_in"], "pre"),
    node("Relu", ["pre"], "post"),
    node("MatMul", ["post", "w_out"], "mlp_out"),
    node("Add", ["resid_mid", "mlp_out"], "resid_post"),
]
weights = [
    *(weight(name, D_MODEL, D_MODEL) for name in ("w_q", "w_k", "w_v")),
    numpy_helper.from_array(np.float32(np.sqrt(D_MODEL)), "root"),
    weight("w_in", D_MODEL, D_MLP),
    weight("b_in", D_MLP),
    weight("w_out", D_MLP, D_MODEL),
]
stream = [BATCH, POS, D_MODEL]
graph = helper.make_graph(
    nodes,
    "block",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, stream)],
    [helper.make_tensor_value_info("resid_post", TensorProto.FLOAT, stream)],
    weights,
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
onnx.checker.check_model(model, full_check=True)

x = rng.standard_normal(stream).astype(np.float32)
kept = ["pattern", "resid_post"]
session = ReferenceEvaluator(model)
found = session.run(None, {"x": x}, intermediate=True)
folder = pathlib.Path(__file__).parent
onnx.save(model, folder / "block.onnx")
numbers = {"x": x.tolist(), **{name: found[name].tolist() for name in kept}}
(folder / "block.json").write_text(json.dumps(numbers) + "\n")
