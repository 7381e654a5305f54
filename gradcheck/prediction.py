"""``predict`` where it has always been."""

from gradcheck.mean_field.prediction import Prediction as Prediction
from gradcheck.mean_field.prediction import Unknown as Unknown
from gradcheck.mean_field.prediction import predict as predict
