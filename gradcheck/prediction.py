"""``predict`` where it has always been."""

from gradcheck.mean_field.predicted import Prediction as Prediction
from gradcheck.mean_field.prediction import predict as predict
from gradcheck.mean_field.unknown import Unknown as Unknown
