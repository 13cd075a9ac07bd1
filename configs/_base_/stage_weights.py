"""Lazy twin of stage_weights.yaml."""

from d2freq.modeling.roi_heads import WeightedOutputLayers


def with_stage_weights(model, weights=(1.0, 0.5, 0.25)):
    """The cascade, whose stages weigh that in the loss."""
    for predictor, weight in zip(model.roi_heads.box_predictors, weights, strict=True):
        predictor._target_ = WeightedOutputLayers
        predictor.loss_weight = weight
    return model
