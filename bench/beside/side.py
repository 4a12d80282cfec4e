"""The PyTorch side of the benches `learner` and `sampling`: spoken to in JSON lines, one answer a line; the first line,
{"threads": N}, is answered by `ready`. side.ts understands the same lines.

Models are Transformers' own, with scaled dot product attention; the optimiser is torch.optim.AdamW(fused=True). What is
timed is what a trainer's inner loop does: no data loading, no logging. It runs on a CUDA device where there is one
(CUDA_VISIBLE_DEVICES= hides it), in float32 proper: PyTorch leaves TF32 off unless it is asked for.

  {"do": "versions"}                            -> {"torch": ..., "transformers": ..., "device": ..., "threads": ...}
  {"do": "make", "dir": D, "config": {...}, "seed": N}      -> {}          a randomly initialised model as a directory
  {"do": "load", "dir": D, "checkpointing": B, "bf16": B}   -> {"parameters": N}
  {"do": "score", "ids": [[...]]}                           -> {"logProbs": [[...]]}  of each token but the first
  {"do": "step", "rows": {...}, "optimiser": {...}}         -> {"seconds": S, "loss": L, "gradNorm": G}
  {"do": "generate", "prompts": [[...]], "newTokens": N}    -> {"seconds": S, "tokens": N}
  {"do": "memory"}                                          -> {"peakBytes": N, "bytes": N}

The loss of a step is the clipped policy loss (PPO; token mean) with an entropy bonus, over each row's tokens behind its prompt:
  loss = mean max(-A r, -A clip(r, 1 - low, 1 + high)) - c mean H,   r = exp(log p - log p_old)
"""

import json
import resource
import sys
import time

import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM

transformers.logging.set_verbosity_error()
state = {}
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def synchronise():
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def versions(_):
    return {
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "device": torch.cuda.get_device_name() if DEVICE == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
    }


def make(request):
    torch.manual_seed(request["seed"])
    config = AutoConfig.for_model(**request["config"])
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.save_pretrained(request["dir"])
    return {}


def load(request):
    model = AutoModelForCausalLM.from_pretrained(
        request["dir"], dtype=torch.float32, attn_implementation="sdpa"
    ).to(DEVICE)
    model.train()
    if request.get("checkpointing"):
        model.gradient_checkpointing_enable({"use_reentrant": False})
        model.config.use_cache = False
    state.update(model=model, optimiser=None, bf16=bool(request.get("bf16")))
    return {"parameters": sum(p.numel() for p in model.parameters())}


@torch.no_grad()
def score(request):
    ids = torch.tensor(request["ids"], device=DEVICE)
    log_p = torch.log_softmax(state["model"](input_ids=ids[:, :-1], use_cache=False).logits, -1)
    return {"logProbs": log_p.gather(-1, ids[:, 1:, None])[..., 0].tolist()}


def policy_loss(model, rows, low, high, coefficient):
    ids = torch.tensor(rows["ids"], device=DEVICE)
    # The prompt's tokens are the first of each row.
    mask = torch.zeros(ids.shape[0], ids.shape[1] - 1, device=DEVICE)
    mask[:, rows["promptTokens"] - 1 :] = 1
    old = torch.tensor(rows["oldLogProbs"], dtype=torch.float32, device=DEVICE)
    advantage = torch.tensor(rows["advantage"], dtype=torch.float32, device=DEVICE)[:, None]
    logits = model(input_ids=ids[:, :-1], use_cache=False).logits.float()
    log_p = torch.log_softmax(logits, -1)
    chosen = log_p.gather(-1, ids[:, 1:, None])[..., 0]
    entropy = -(log_p.exp() * log_p).sum(-1)
    ratio = (chosen - old).exp()
    surrogate = torch.maximum(-advantage * ratio, -advantage * ratio.clamp(1 - low, 1 + high))
    return ((surrogate - coefficient * entropy) * mask).sum() / mask.sum()


def step(request):
    model, o = state["model"], request["optimiser"]
    if state["optimiser"] is None:
        state["optimiser"] = torch.optim.AdamW(
            model.parameters(),
            lr=o["learningRate"],
            betas=tuple(o["betas"]),
            eps=o["epsilon"],
            weight_decay=o["weightDecay"],
            fused=True,
        )
    optimiser = state["optimiser"]
    started = time.perf_counter()
    optimiser.zero_grad(set_to_none=True)
    with torch.autocast(DEVICE, dtype=torch.bfloat16, enabled=state["bf16"]):
        loss = policy_loss(model, request["rows"], o["clipLow"], o["clipHigh"], o["entropyCoefficient"])
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), o["maxGradNorm"])
    optimiser.step()
    # Read before the clock is: a CUDA device is still at work when the calls return.
    answer = {"loss": loss.item(), "gradNorm": norm.item()}
    synchronise()
    return {"seconds": time.perf_counter() - started, **answer}


@torch.inference_mode()
def generate(request):
    model = state["model"].eval()
    prompts = torch.tensor(request["prompts"], device=DEVICE)
    started = time.perf_counter()
    out = model.generate(
        prompts,
        attention_mask=torch.ones_like(prompts),
        do_sample=True,
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        max_new_tokens=request["newTokens"],
        min_new_tokens=request["newTokens"],
        pad_token_id=0,
    )
    synchronise()
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "tokens": (out.shape[1] - prompts.shape[1]) * out.shape[0]}


def memory(_):
    with open("/proc/self/status") as status:
        resident = next(line for line in status if line.startswith("VmRSS"))
    return {
        "peakBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "bytes": int(resident.split()[1]) * 1024,
    }


torch.set_num_threads(json.loads(sys.stdin.readline())["threads"])
print("ready", flush=True)
for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps(globals()[request["do"]](request)), flush=True)
