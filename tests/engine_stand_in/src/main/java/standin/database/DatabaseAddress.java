package standin.database;

import java.sql.Connection;
import java.sql.SQLException;
import java.util.Optional;
import java.util.Properties;
import org.postgresql.Driver;
import standin.config.Settings;

/** Address and account of the system database. */
public record DatabaseAddress(String url, String user, String password) {

  public static Optional<DatabaseAddress> of(Settings settings) {
    return settings.find("SystemDb.Url").map(url ->
        new DatabaseAddress(url, settings.get("SystemDb.UserName", ""), settings.get("SystemDb.Password", "")));
  }

  public Connection connect(Properties properties) throws SQLException {
    properties.setProperty("user", user);
    properties.setProperty("password", password);
    Connection connection = new Driver().connect(url, properties);
    if (connection == null) {
      throw new SQLException("The stand-in speaks to PostgreSQL only, not to " + url);
    }
    return connection;
  }

  public String databaseName() {
    String withoutParameters = url.replaceFirst("\\?.*$", "");
    return withoutParameters.substring(withoutParameters.lastIndexOf('/') + 1);
  }

  public DatabaseAddress withDatabase(String name) {
    int end = url.indexOf('?') < 0 ? url.length() : url.indexOf('?');
    return new DatabaseAddress(url.substring(0, url.lastIndexOf('/', end - 1) + 1) + name + url.substring(end), user,
        password);
  }

  /** Keeps the password out of logs. */
  @Override
  public String toString() {
    return url;
  }
}
