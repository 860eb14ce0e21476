"""Networks: anonymizers f_A, action networks f_T and privacy networks f_B, one file each.

Classes of layers and models must keep their names. Keras derives automatic names from them: paths
inside weights files, and names of operations, on which the order of sums in TensorFlow's optimized
graphs depends, and with it the last bits of gradients.
"""

from tfanon.core import keras_setup

# Before any network is built, also where Keras was imported before tfanon.
keras_setup.apply_keras_settings()
