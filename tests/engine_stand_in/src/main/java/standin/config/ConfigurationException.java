package standin.config;

/** A configuration file is invalid. */
public final class ConfigurationException extends Exception {
  public ConfigurationException(String message) {
    super(message);
  }
}
