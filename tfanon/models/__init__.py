"""Networks: anonymizers f_A, action networks f_T and privacy networks f_B, one file each."""

from tfanon.core import keras_setup

# Before any network is built, also where Keras was imported before tfanon.
keras_setup.apply_keras_settings()
