"""Networks: anonymizers f_A, action networks f_T and privacy networks f_B, one file each."""

from tfanon.core import keras_setup

keras_setup.apply_keras_settings()  # before any network is built, also where Keras was there before tfanon
