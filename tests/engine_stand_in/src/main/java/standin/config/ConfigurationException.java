package standin.config;

/** A configuration file cannot be understood. */
public final class ConfigurationException extends Exception {
  public ConfigurationException(String message) {
    super(message);
  }
}
