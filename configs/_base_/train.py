"""What train_net.py reads of a lazy config beside model, data and optimizer."""

train = dict(
    output_dir="./output",
    init_checkpoint="",
    strict_weights=True,  # refuse weights that do not fit, such as of another class count
    max_iter=90000,
    amp=dict(enabled=False),
    ddp=dict(broadcast_buffers=False, find_unused_parameters=False, fp16_compression=False),
    checkpointer=dict(period=5000, max_to_keep=100),
    eval_period=0,
    log_period=20,
    device="cuda",
    seed=-1,
)
